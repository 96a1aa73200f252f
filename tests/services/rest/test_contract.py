"""The original client's interface: its options, its signatures, its fake platform and fake green library."""

from __future__ import annotations

from typing import Any

import pytest

import flowthings_like
from flowthings_like import API, FlowThingsNotFound, M, P, Token, mem
from flowthings_like import errors as tree

from ..support import CREDS, Identity, asked, echo, make_api


def raise_not_found(*args: Any, **options: Any) -> Any:
    raise FlowThingsNotFound


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("identity", "/identity"),
        ("group", "/group"),
        ("track", "/track"),
        ("flow", "/flow"),
        ("api_task", "/api-task"),
        ("mqtt_task", "/mqtt"),
        ("rss_task", "/rss"),
        ("device", "/device"),
        ("token", "/token"),
        ("share", "/share"),
    ],
)
def test_every_noun_has_its_path_and_verbs(name: str, path: str) -> None:
    service = getattr(make_api(), name)
    assert service.path == path
    assert service.read("foo") == asked("GET", f"{path}/foo")
    assert service.read_many(["foo", "bar"]) == asked("MGET", path, data=["foo", "bar"])
    assert service.find_many() == asked("GET", path)
    assert service.create({"a": 1}) == asked("POST", path, data={"a": 1})
    assert service.delete("foo") == asked("DELETE", f"{path}/foo")
    assert service.delete("foo", {"why": 1}) == asked("DELETE", f"{path}/foo", data={"why": 1})
    assert hasattr(service, "update") == (name not in ("token", "share"))


def test_drops_belong_to_a_flow() -> None:
    api = make_api()
    assert api.drop("f1").path == "/drop/f1"
    assert api.drop("f1").find(limit=10) == asked("GET", "/drop/f1", params={"limit": 10})
    assert api.drop("f1").create({"elems": {"a": 1}}) == asked("POST", "/drop/f1", data={"elems": {"a": 1}})
    assert api.drop("f1").delete_all() == asked("DELETE", "/drop/f1")
    assert api.drop.create({"path": "/acc/a", "elems": {}}) == asked(
        "POST", "/drop", data={"path": "/acc/a", "elems": {}}
    )
    assert api.drop.request("GET", params={"path": "/acc/a"}) == asked(
        "GET", "/drop", params={"path": "/acc/a"}
    )


def test_root_makes_any_request() -> None:
    api = make_api()
    expected = asked("PUT", "/foo", params={"foo": True}, data="foo")
    assert api.root.request("PUT", "/foo", data="foo", params={"foo": True}) == expected
    assert api.request("PUT", "/foo", data="foo", params={"foo": True}) == expected


def test_raw_request_hands_everything_through() -> None:
    def sender(method: str, url: str, params: Any = None, data: Any = None, creds: Any = None) -> Any:
        return (method, url, params, data, creds), {"x": "y"}, 418

    text, headers, status = make_api(request=sender).flow.raw_request("PUT", "/f1", b"raw", {"q": 1})
    assert text == ("PUT", "https://test/vtest/acc/flow/f1", {"q": 1}, b"raw", CREDS)
    assert (headers, status) == ({"x": "y"}, 418)


def test_find_chooses_by_its_first_argument() -> None:
    flow = make_api().flow
    assert flow.find() == asked("GET", "/flow")
    assert flow.find("foo") == asked("GET", "/flow/foo")
    assert flow.find(["foo", "bar"]) == asked("MGET", "/flow", data=["foo", "bar"])
    assert flow.find(mem.foo == True) == asked("GET", "/flow", params={"filter": "foo == true"})  # noqa: E712
    assert flow.find(mem.foo == True, limit=10) == asked(  # noqa: E712
        "GET", "/flow", params={"filter": "foo == true", "limit": 10}
    )
    assert flow.find(mem.a == 1, mem.b == 2) == asked(
        "GET", "/flow", params={"filter": "(a == 1) && (b == 2)"}
    )


def test_refs_make_a_pair() -> None:
    body, references = make_api().flow.find(limit=10, refs=True, only=("name", "path"))
    assert body == asked("GET", "/flow", params={"limit": 10, "refs": 1, "only": "name,path"})
    assert references == {}


def test_update_and_save() -> None:
    flow = make_api().flow
    foo, bar = {"id": "foo", "displayName": "foo"}, {"id": "bar", "displayName": "bar"}
    assert flow.update(foo) == asked("PUT", "/flow/foo", data=foo)
    assert flow.update(M(foo, displayName="new")) == asked("PUT", "/flow/foo", data={"displayName": "new"})
    many = asked("MPUT", "/flow", data={"foo": foo, "bar": bar})
    assert flow.update_many([foo, bar]) == many
    assert flow.save([foo, bar]) == many
    assert flow.save(foo) == asked("PUT", "/flow/foo", data=foo)
    assert flow.save({"displayName": "foo"}) == asked("POST", "/flow", data={"displayName": "foo"})
    assert flow.save(M(foo, capacity=1)) == asked("PUT", "/flow/foo", data={"capacity": 1})


def test_read_or_else() -> None:
    assert make_api().flow.read_or_else("foo", "bar") == asked("GET", "/flow/foo")
    api = make_api(request=raise_not_found)
    assert api.flow.read_or_else("foo", "bar") == "bar"
    assert api.flow.read_or_else("foo") is None
    assert api.flow.read_or_else("foo", default=3, limit=1) == 3


def test_the_websocket_session_has_a_host_of_its_own() -> None:
    assert make_api().websocket.request("POST") == {
        **asked("POST", ""),
        "url": "https://ws.test/session",
    }


@pytest.mark.parametrize(
    ("snake", "camel"),
    [
        ("flow_drop_added", "flowDropAdded"),
        ("flow_tracked", "flowTracked"),
        ("track_hit", "trackHit"),
        ("track_pass", "trackPass"),
        ("api_call_by_identity", "apiCallByIdentity"),
        ("drop_created_by", "dropCreatedBy"),
    ],
)
def test_statistics_in_both_spellings(snake: str, camel: str) -> None:
    statistics = make_api().statistics
    for method in (getattr(statistics, snake), getattr(statistics, camel)):
        assert method("foo") == asked("GET", f"/statistics/{camel}/foo")
        assert method("foo", year=2015, month=12, day=1, level="day") == asked(
            "GET", f"/statistics/{camel}/foo/2015/12/1", params={"level": "day"}
        )


def test_aggregate_keeps_its_shape() -> None:
    drops = make_api().drop("foo")
    whole = {
        "output": ["$avg:foo"],
        "groupBy": ["$month"],
        "filter": "foo > 1",
        "rules": {"test": "foo > 42"},
        "sorts": ["foo"],
    }
    assert drops.aggregate(["$avg:foo"], ["$month"], mem.foo > 1, {"test": mem.foo > 42}, ["foo"]) == asked(
        "POST", "/drop/foo/aggregate", data=whole
    )
    assert drops.aggregate(output=["$count"]) == asked(
        "POST", "/drop/foo/aggregate", data={"output": ["$count"]}
    )


def test_parameter_objects_are_taken_wherever_dicts_are() -> None:
    api = make_api()
    assert api.root.request("GET", "/x", params=P(limit=3).refs(False)) == asked(
        "GET", "/x", params={"limit": 3, "refs": 0}
    )


def test_options_as_the_original_took_them() -> None:
    api = make_api(secure=False, params={"hints": False})
    assert api.flow.read("foo") == {
        **asked("GET", "/flow/foo", params={"hints": False}),
        "url": "http://test/vtest/acc/flow/foo",
    }


def test_services_of_ones_own() -> None:
    from flowthings_like.services import AbstractServiceFactory, BaseService, FullService

    class Plan(FullService):
        path = "/plan"

        def push(self, name: str) -> Any:
            return self.request("POST", f"/{name}", data={"push": True})

    class Part(BaseService):
        def __init__(self, context: str, connection: Any) -> None:
            super().__init__(connection)
            self.path = f"/part/{context}"

    class Parts(AbstractServiceFactory):
        service_class = Part

    api = make_api()
    api.add_service("plan", Plan)
    api.add_service("part", Parts)
    plan, part = api.plan, api.part  # type: ignore[attr-defined]
    assert plan.read("p") == asked("GET", "/plan/p")
    assert plan.push("p") == asked("POST", "/plan/p", data={"push": True})
    assert part("a").request("GET", "/b") == asked("GET", "/part/a/b")
    for taken in ("close", "request", "no name", "_hidden"):
        with pytest.raises(tree.ConfigurationError, match="add_service"):
            api.add_service(taken, Plan)


class FakeThread:
    def __init__(self, run: Any) -> None:
        self.run = run

    def wait(self) -> Any:
        return self.run()


class FakePool:
    def spawn(self, function: Any, *args: Any, **options: Any) -> FakeThread:
        return FakeThread(lambda: function(*args, **options))


class FakeEventlet:
    __name__ = "eventlet"
    GreenPool = FakePool


def test_a_fake_green_library_is_enough() -> None:
    api = make_api(async_lib=FakeEventlet())
    calls = api.async_()
    calls.flow.read("foo")
    calls.drop("f1").find(limit=1)
    calls.request("GET", "/x")
    assert calls.results() == [
        asked("GET", "/flow/foo"),
        asked("GET", "/drop/f1", params={"limit": 1}),
        asked("GET", "/x"),
    ]
    lazy = api.lazy()
    found = lazy.flow.read("foo")
    assert found["method"] == "GET"
    assert found.unwrap() == asked("GET", "/flow/foo")


def test_a_fake_green_library_collects_errors() -> None:
    calls = make_api(async_lib=FakeEventlet(), request=raise_not_found).async_()
    calls.flow.read("foo")
    ((error, result),) = calls.results(with_exceptions=True)
    assert isinstance(error, FlowThingsNotFound)
    assert result is None


def test_async_is_there_under_its_old_name() -> None:
    calls = getattr(make_api(async_lib=FakeEventlet()), "async")()
    calls.flow.read("foo")
    assert calls.results() == [asked("GET", "/flow/foo")]


def test_exceptions_need_no_arguments() -> None:
    for name in ("BadRequest", "Forbidden", "NotFound", "ServerError", "Exception"):
        error = getattr(flowthings_like, f"FlowThings{name}")()
        assert isinstance(error, flowthings_like.FlowThingsError)
        assert (error.errors, str(error)) == ([], "the platform gave no reason")


def test_every_name_of_the_document_is_public() -> None:
    seed = """API Token defaults mem EXISTS HAS MATCHES NOT AGE M Modify P Params FlowThingsError
        FlowThingsException FlowThingsBadRequest FlowThingsForbidden FlowThingsNotFound
        FlowThingsServerError"""
    assert set(seed.split()) <= set(flowthings_like.__all__)
    assert all(hasattr(flowthings_like, name) for name in flowthings_like.__all__)


def test_options_after_params_are_keywords_and_known() -> None:
    with pytest.raises(TypeError):
        API(CREDS, None, True, {}, "host")  # type: ignore[misc]
    with pytest.raises(TypeError):
        API(CREDS, hots="x")  # type: ignore[call-arg]


def test_a_custom_encoder_gets_plain_data_and_keeps_its_exceptions() -> None:
    class Odd(Identity):
        def dumps(self, value: Any) -> Any:
            raise KeyError("mine")

        def loads(self, text: Any) -> Any:
            raise UnicodeError("mine too")

    with pytest.raises(KeyError, match="mine"):
        make_api(encoder=Odd()).flow.create({"a": 1})
    with pytest.raises(UnicodeError, match="mine too"):
        make_api(encoder=Odd()).flow.read("a")

    class Lazy:
        def unwrap(self) -> Any:
            return {"deep": [1]}

    data = make_api().flow.create({"elems": Lazy(), "list": (Lazy(),)})["data"]
    assert data == {"elems": {"deep": [1]}, "list": [{"deep": [1]}]}
    assert type(data["elems"]) is dict


def test_creds_are_whatever_has_account_and_token() -> None:
    class Mine:
        account, token = "acc", "t"

    mine = Mine()
    assert make_api(mine).flow.read("foo")["creds"] is mine
    assert API(Token("a", "b"), request=echo).creds == Token("a", "b")

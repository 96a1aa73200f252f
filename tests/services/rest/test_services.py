"""What the methods add to the original: checks before anything is sent, bulk forms, shared settings."""

from __future__ import annotations

from typing import Any

import pytest

from flowthings_like import (
    ConfigurationError,
    FlowThingsBadRequest,
    FlowThingsException,
    FlowThingsForbidden,
    FlowThingsNotFound,
    FlowThingsServerError,
    FlowThingsUnavailable,
    InvalidInput,
    InvalidResponse,
    M,
    P,
    Token,
    defaults,
    mem,
)
from flowthings_like.transport.http.encoder import JSONEncoder

from ..support import CREDS, answering, asked, echo, envelope, make_api


def refuse(*args: Any, **options: Any) -> Any:
    raise AssertionError("this must not be sent")


quiet = make_api(request=refuse)


@pytest.mark.parametrize(
    "call",
    [
        lambda: quiet.flow.find(None),
        lambda: quiet.flow.find(False),
        lambda: quiet.flow.find(mem.a == 1, None),
        lambda: quiet.flow.find(filter=True),
        lambda: quiet.flow.find(object()),
        lambda: quiet.flow.find([mem.a == 1]),
        lambda: quiet.flow.find("id", mem.a == 1),
        lambda: quiet.flow.find(["id"], 1),
        lambda: quiet.flow.find_many([1]),
        lambda: quiet.flow.find_many("a ==", "b == 1"),
        lambda: quiet.flow.find({"id": "x"}),
        lambda: quiet.flow.read(""),
        lambda: quiet.flow.read(None),  # type: ignore[arg-type]
        lambda: quiet.flow.read(7),  # type: ignore[arg-type]
        lambda: quiet.flow.read("."),
        lambda: quiet.flow.read(".."),
        lambda: quiet.flow.read("\udc80"),
        lambda: quiet.flow.read_many("f1"),
        lambda: quiet.flow.read_many(["f1", None]),  # type: ignore[list-item]
        lambda: quiet.flow.create([{"a": 1}]),  # type: ignore[arg-type]
        lambda: quiet.flow.create("x"),  # type: ignore[arg-type]
        lambda: quiet.flow.update({"a": 1}),
        lambda: quiet.flow.update(M({"a": 1})),
        lambda: quiet.flow.update({"id": None}),
        lambda: quiet.flow.update_many({"id": "f1"}),  # type: ignore[arg-type]
        lambda: quiet.flow.update_many([{"id": "f1", "a": 1}, {"id": "f1", "a": 2}]),
        lambda: quiet.flow.save({"id": None}),
        lambda: quiet.flow.save([{"a": 1}]),
        lambda: quiet.flow.save(3),
        lambda: quiet.flow.update_member("f1", "capacity", None),
        lambda: quiet.flow.update_member("f1", "", 3),
        lambda: quiet.flow.delete(""),
        lambda: quiet.drop(""),
        lambda: quiet.drop(None),
        lambda: quiet.drop({"name": "x"}),
        lambda: quiet.drop([{"id": "f1"}]),
        lambda: quiet.drop("f1").create_many({"elems": {}}),  # type: ignore[arg-type]
        lambda: quiet.drop("f1").create_many([{"elems": {}}, 3]),  # type: ignore[list-item]
        lambda: quiet.drop("f1").aggregate(),
        lambda: quiet.drop("f1").aggregate([]),
        lambda: quiet.drop("f1").aggregate([3]),  # type: ignore[list-item]
        lambda: quiet.drop("f1").aggregate("$count", output="$count"),
        lambda: quiet.drop("f1").aggregate("$count", filter=False),
        lambda: quiet.drop("f1").aggregate("$count", rules={"r": None}),  # type: ignore[dict-item]
        lambda: quiet.drop("f1").aggregate("$count", rules=["a > 1"]),  # type: ignore[arg-type]
        lambda: quiet.drop("f1").aggregate("$count", rules=mem.a > 1),  # type: ignore[arg-type]
        lambda: quiet.drop("f1").aggregate("$count", rules={1: "a > 1"}),  # type: ignore[dict-item]
        lambda: quiet.drop("f1").aggregate("$count", sorts=5),  # type: ignore[arg-type]
        lambda: quiet.drop("f1").aggregate("$count", sorts={"a": "asc"}),
        lambda: quiet.drop("f1").aggregate(5),  # type: ignore[arg-type]
        lambda: quiet.drop("f1").create_many(5),  # type: ignore[arg-type]
        lambda: quiet.flow.read_many(5),  # type: ignore[call-overload]
        lambda: quiet.flow.update_many(5),  # type: ignore[arg-type]
        lambda: quiet.drop.multi_find(5),  # type: ignore[arg-type]
        lambda: quiet.drop.multi_find({"flowId": "f1"}),
        lambda: quiet.drop.multi_find("f1"),
        lambda: quiet.drop.multi_find([{"flow": "f1"}]),
        lambda: quiet.statistics.track_hit("t1", month=3),
        lambda: quiet.statistics.track_hit("t1", 2020, day=3),
        lambda: quiet.statistics.track_hit("t1", 2020, 13),
        lambda: quiet.statistics.track_hit("t1", True),
        lambda: quiet.statistics.track_hit("t1", "2020/1"),
        lambda: quiet.statistics.track_hit("t1", level="week"),
        lambda: quiet.flow.find(limit=float("nan")),
        lambda: quiet.flow.find(params=3),
        lambda: quiet.flow.find(sort={"a": 1}),
        lambda: quiet.flow.find(timeout=0),
        lambda: quiet.flow.find(timeout=True),
        lambda: quiet.flow.find(timeout=(1, 2, 3)),
        lambda: quiet.root.request("GET", "flow"),
        lambda: quiet.root.request("GET", "/flow?x=1"),
        lambda: quiet.root.request("GET", "/flow/../token"),
        lambda: quiet.root.request("GET", "/flow/%2e%2E/token"),
        lambda: quiet.root.request("GET", "/flow/100%"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(call: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        call()
    assert len(str(caught.value)) > 10


def test_messages_say_what_to_write_instead() -> None:
    with pytest.raises(InvalidInput, match=r"mem\.elems\.temp > 90"):
        quiet.flow.find(False)
    with pytest.raises(InvalidInput, match="leave the argument out"):
        quiet.flow.find(None)
    with pytest.raises(InvalidInput, match=r"create\(model\)"):
        quiet.flow.update({"a": 1})
    with pytest.raises(InvalidInput, match="'f1' occurs twice"):
        quiet.flow.update_many([{"id": "f1"}, {"id": "f1"}])


def test_ids_cannot_become_other_paths_or_queries() -> None:
    flow = make_api().flow
    for id, segment in {
        "../token/x": "..%2Ftoken%2Fx",
        "a?b=c": "a%3Fb%3Dc",
        "a#b": "a%23b",
        "50%": "50%25",
        "Grüße": "Gr%C3%BC%C3%9Fe",
        "a b\n": "a%20b%0A",
    }.items():
        assert flow.read(id)["url"].endswith(f"/flow/{segment}")
        assert flow.delete(id)["url"].endswith(f"/flow/{segment}")
        assert flow.update({"id": id})["url"].endswith(f"/flow/{segment}")
    assert make_api(Token("a/b", "t")).flow.find()["url"] == "https://test/vtest/a%2Fb/flow"


def test_a_flow_is_an_id_a_path_or_itself() -> None:
    drop = make_api().drop
    assert drop("/acc/x").path == "/drop/%2Facc%2Fx"
    assert drop({"id": "f1", "path": "/acc/x"}).path == "/drop/f1"
    assert drop({"path": "/acc/x"}).path == "/drop/%2Facc%2Fx"
    assert drop(b"f1").path == "/drop/f1"


def test_a_flow_on_its_way_is_waited_for_at_the_first_request() -> None:
    class Later:
        waits = 0

        def unwrap(self) -> Any:
            type(self).waits += 1
            return {"id": "f1"}

    drops = make_api().drop(Later())
    assert Later.waits == 0
    assert drops.find()["url"].endswith("/drop/f1")
    assert Later.waits > 0


def test_bulk_forms() -> None:
    api = make_api()
    drops = [{"elems": {"n": n}} for n in range(3)]
    assert api.drop("f1").create_many(iter(drops)) == asked("POST", "/drop/f1", data=drops)
    assert api.flow.read_many(("a", "b")) == asked("MGET", "/flow", data=["a", "b"])
    assert api.flow.find(("a", "b")) == asked("MGET", "/flow", data=["a", "b"])
    assert api.flow.save(({"id": "a"},)) == asked("MPUT", "/flow", data={"a": {"id": "a"}})
    assert api.drop.multi_find(
        ["f1", {"flowId": "f2", "params": {"filter": mem.a > 1, "limit": 2}}]
    ) == asked(
        "MGET",
        "/drop",
        data=[{"flowId": "f1", "params": {}}, {"flowId": "f2", "params": {"filter": "a > 1", "limit": 2}}],
    )


def test_nothing_to_do_asks_nothing() -> None:
    assert quiet.drop("f1").create_many([]) == []
    assert quiet.flow.read_many([]) == {}
    assert quiet.flow.find([]) == {}
    assert quiet.flow.read_many([], refs=True, timeout=3) == ({}, {})
    assert quiet.flow.update_many([]) == {}
    assert quiet.drop.multi_find([]) == {}


def test_single_members_and_simulations() -> None:
    api = make_api()
    assert api.flow.update_member("f1", "capacity", 20) == asked("PUT", "/flow/f1/capacity", data=20)
    assert api.drop("f1").update_member("d1", "elems", {"a": 0}) == asked(
        "PUT", "/drop/f1/d1/elems", data={"a": 0}
    )
    assert api.track.simulate({"elems": {}}, "js") == asked(
        "POST", "/track/simulate", data={"drop": {"elems": {}}, "js": "js"}
    )
    assert api.api_task.simulate({"js": "js"}) == asked("POST", "/api-task/simulate", data={"js": "js"})


def test_aggregate_takes_single_names_and_parameters() -> None:
    assert make_api().drop("f1").aggregate(
        "$count", "$month", "a > 1", sorts="$count:desc", hints=0
    ) == asked(
        "POST",
        "/drop/f1/aggregate",
        params={"hints": 0},
        data={"output": ["$count"], "groupBy": ["$month"], "filter": "a > 1", "sorts": ["$count:desc"]},
    )


def test_filters_and_texts_join() -> None:
    find = make_api().flow.find_many
    assert find("a == 1")["params"] == {"filter": "a == 1"}
    assert find("a==1", mem.b == 2)["params"] == {"filter": "(a == 1) && (b == 2)"}
    assert find(mem.b == 2, "a == 1 || c == 1")["params"] == {"filter": "(b == 2) && ((a == 1) || (c == 1))"}
    assert find(mem.b == 2, filter=mem.a == 1)["params"] == {"filter": "(b == 2) && (a == 1)"}
    assert find(filter=[mem.b == 2, mem.a == 1])["params"] == {"filter": "(b == 2) && (a == 1)"}
    assert find("", mem.b == 2)["params"] == {"filter": "b == 2"}
    assert find(filter="")["params"] == {"filter": ""}
    assert find(filter=None)["params"] == {}


def test_names_that_are_no_keywords_go_through_params() -> None:
    api = make_api()
    names = {
        "id": 1,
        "model": 2,
        "data": 3,
        "default": 4,
        "timeout": 5,
        "params": 6,
        "to_dict": 7,
        "_params": 8,
    }
    assert api.flow.read("f1", params=names) == asked("GET", "/flow/f1", params=names)
    assert api.flow.read("f1", params=P(names), limit=1)["params"] == {**names, "limit": 1}


def test_a_timeout_is_the_calls_not_a_parameter() -> None:
    seen: list[Any] = []

    def sender(method: str, url: str, timeout: Any = None, **options: Any) -> Any:
        seen.append((timeout, options["params"]))
        return echo(method, url, **options)

    flow = make_api(request=sender).flow
    flow.read("f1", timeout=3)
    flow.find(timeout=(1, float("inf")), limit=1)
    flow.find()
    assert seen == [((3.0, 3.0), {}), ((1.0, None), {"limit": 1}), (None, {})]


def test_new_credentials_and_senders_count_everywhere_at_once() -> None:
    api = make_api()
    held = api.drop("f1")
    api.creds = Token("other", "t2")
    assert held.find()["url"] == "https://test/vtest/other/drop/f1"
    assert api.flow.find()["creds"] == Token("other", "t2")
    api.flow.creds = CREDS
    assert api.creds == held.creds == CREDS

    api.request = answering("new")
    assert held.find() == api.flow.find() == api.websocket.request("POST") == "new"
    api.request = None
    assert api._connection.sender is None


def test_bad_credentials_are_refused_at_once() -> None:
    for bad in (None, ("acc", "tok"), "tok", object()):
        with pytest.raises(ConfigurationError, match="Token"):
            make_api(bad)
    api = make_api()
    with pytest.raises(ConfigurationError):
        api.creds = None
    assert api.creds == CREDS


@pytest.mark.parametrize("host", ["http://x", "x/y", "user@x", "x?y", "", "x:port", "a b", None, 3])
def test_bad_hosts_are_refused_at_once(host: Any) -> None:
    if host is None:
        assert make_api(host=None)._connection.host == defaults.host
        return
    with pytest.raises(ConfigurationError, match="host"):
        make_api(host=host)


def test_an_api_keeps_the_defaults_it_was_made_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "host", "one")
    monkeypatch.setattr(defaults, "params", {"hints": 0})
    api = make_api(host=None, params=None)
    monkeypatch.setattr(defaults, "host", "two")
    monkeypatch.setattr(defaults, "params", {})
    for service in (api.flow, api.drop("f1")):
        answer = service.find()
        assert answer["url"].startswith("https://one/")
        assert answer["params"] == {"hints": 0}


def test_defaults_have_two_names_for_verification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "verify_ssl", True)
    defaults.verify = False
    assert defaults.verify_ssl is False
    assert make_api()._connection.verify_ssl is False
    assert make_api(verify_ssl=False).flow.find() == asked("GET", "/flow")
    with pytest.raises(AttributeError):
        defaults.hots = "x"  # type: ignore[attr-defined]


def test_refs_by_default_concern_reads_alone() -> None:
    api = make_api(params={"refs": True})
    assert api.flow.read("f1") == (asked("GET", "/flow/f1", params={"refs": 1}), {})
    assert api.flow.delete("f1") == asked("DELETE", "/flow/f1")
    assert api.flow.create({}) == asked("POST", "/flow", data={})
    assert api.flow.create({}, refs=True)[1] == {}


def test_missing_references_are_none() -> None:
    def sender(*args: Any, **options: Any) -> Any:
        return {"head": {"ok": True, "status": 200}, "body": 1}, {}, 200

    assert make_api(request=sender).flow.find(refs=True) == (1, {})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FlowThingsBadRequest),
        (401, FlowThingsForbidden),
        (403, FlowThingsForbidden),
        (404, FlowThingsNotFound),
        (418, FlowThingsException),
        (500, FlowThingsServerError),
        (503, FlowThingsUnavailable),
    ],
)
def test_the_platforms_errors(status: int, kind: type[FlowThingsException]) -> None:
    api = make_api(request=answering({}, status, errors=["because"]))
    with pytest.raises(kind) as caught:
        api.drop("f1").read("d1")
    error = caught.value
    assert (error.status, error.errors, error.method, error.path) == (
        status,
        ["because"],
        "GET",
        "/drop/f1/d1",
    )
    assert str(error) == f"GET /drop/f1/d1: {status}: because"
    assert CREDS.token not in repr(vars(error))
    assert error.creds == "acc"


def test_not_ok_is_an_error_whatever_the_status_says() -> None:
    api = make_api(request=lambda *args, **options: (envelope({}, 404, errors=["gone"]), {}, 200))
    with pytest.raises(FlowThingsNotFound, match="gone"):
        api.flow.read("f1")
    api.request = answering({}, 200, ok=False)
    with pytest.raises(FlowThingsException, match="no reason"):
        api.flow.read("f1")


@pytest.mark.parametrize("text", [b"", b"<html>login</html>", b"[]", b"3", b'{"a": 1}', b'{"head": 3}'])
@pytest.mark.parametrize("status", [200, 404])
def test_answers_that_are_no_envelope(text: bytes, status: int) -> None:
    def sender(*args: Any, **options: Any) -> Any:
        return text, {"content-type": "text/html"}, status

    api = make_api(request=sender, encoder=JSONEncoder())
    with pytest.raises(InvalidResponse, match=f"GET /flow/f1: {status}.*text/html.*right host"):
        api.flow.read_or_else("f1")


def test_a_gateways_status_says_enough() -> None:
    api = make_api(request=lambda *args, **options: (b"<html>", {}, 503), encoder=JSONEncoder())
    with pytest.raises(FlowThingsUnavailable) as caught:
        api.flow.read("f1")
    assert caught.value.retryable


def test_a_closed_api_says_so() -> None:
    with make_api() as api:
        held = api.drop("f1")
    api.close()
    for call in (api.flow.find, held.find, api.flow.raw_request):
        with pytest.raises(ConfigurationError, match="closed"):
            call("GET") if call == api.flow.raw_request else call()


def test_the_api_says_who_and_where() -> None:
    assert repr(make_api()) == "<API of acc at test>"

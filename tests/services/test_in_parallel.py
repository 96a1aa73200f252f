"""`lazy()` and `async_()` of single services."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from flowthings_like import API, Client, ConfigurationError, GreenThunk, Token, force


def answering(method: str, url: str, **options: Any) -> tuple[str, dict[str, str], int]:
    body = {"id": url.rpartition("/")[2], "path": url}
    head = {"ok": True, "status": 200, "messages": [], "errors": []}
    return json.dumps({"head": head, "body": body}), {}, 200


@pytest.fixture
def api() -> API:
    return API(Token("acme", "secret"), host="flows.example.com", request=answering)


def test_a_service_makes_its_own_calls_lazy(api: API) -> None:
    for lazy in (api.flow.lazy(), api.drop("f1").lazy(), api.drop.lazy()("f1"), api.token.lazy(2)):
        thunk = lazy.read("x1", refs=False)
        assert type(thunk) is GreenThunk
        assert force(thunk)["id"] == "x1"


def test_a_service_makes_its_own_calls_parallel(api: API) -> None:
    for name in ("async_", "async"):
        calls = getattr(api.flow, name)()
        for id in ("x1", "x2"):
            calls.read(id)
        assert [flow["id"] for flow in calls.results()] == ["x1", "x2"]
    with api.track.async_() as calls:
        thread = calls.read("x3")
    assert thread.get()["id"] == "x3"


def test_it_uses_the_backend_of_its_api(api: API) -> None:
    flow = api.flow
    api.async_lib = "no such library"
    for service in (flow, api.drop("f1"), api.things):
        with pytest.raises(ConfigurationError, match="no such library"):
            service.lazy().call(int)


def test_a_client_of_no_api() -> None:
    client = Client()
    assert force(client.lazy().call(int)) == 0
    with pytest.raises(ConfigurationError, match="size"):
        client.async_(0).query("1")


def test_what_makes_parallel_is_no_call_itself(api: API) -> None:
    """Through `lazy()` its call returns a view at once, and not a thunk."""
    assert force(api.lazy().flow.lazy().read("x1"))["id"] == "x1"


@pytest.mark.parametrize("view", ["lazy", "async_"])
def test_help_is_that_of_the_method(api: API, view: str) -> None:
    seen = getattr(api, view)()
    assert inspect.signature(seen.flow.find) == inspect.signature(api.flow.find)
    assert seen.drop("f1").create.__doc__ == api.drop("f1").create.__doc__

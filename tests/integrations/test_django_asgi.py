"""The Django middleware under ASGI: Django's own handler, called as an ASGI server does."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from flowthings_like import CallCancelled, ConfigurationError, Token
from flowthings_like.integrations.django import JSONEncoder, RequestScopes
from flowthings_like.integrations.request_scope import RequestScope, ScopeState
from flowthings_like.transport.call_scope import current_scope

from ..green.fakes import until
from .support import Platform
from .test_django import MIDDLEWARE  # and Django is configured

pytestmark = pytest.mark.needs(
    "threads", "the event loop of an ASGI server is asyncio's, and nothing is patched"
)

platform = Platform()
kept: list[Any] = []
scopes = RequestScopes(
    platform.api(),
    credentials=lambda environ: Token("acme", environ["HTTP_X_TOKEN"]),
    timeout_header="X-Timeout",
)


def outer(get_response: Any) -> Any:
    """Middleware that is no coroutine function, outside of ours."""

    def middleware(request: Any) -> Any:
        return get_response(request)

    return middleware


OUTER = f"{__name__}.outer"
ORDERS = [[MIDDLEWARE], [OUTER, MIDDLEWARE], [MIDDLEWARE, OUTER]]


@pytest.fixture(autouse=True, params=ORDERS, ids=["alone", "last", "first"])
def handler(request: pytest.FixtureRequest) -> Iterator[ASGIHandler]:
    platform.__init__()  # type: ignore[misc]
    kept.clear()
    with override_settings(FLOWTHINGS_SCOPES=scopes, ROOT_URLCONF=__name__, MIDDLEWARE=request.param):
        yield ASGIHandler()
    assert current_scope() is None


def as_json(request: Any) -> Any:
    kept.append(request.flowthings)
    lazy = request.flowthings.lazy
    flows = [lazy.flow.read(f"f{number}") for number in range(3)]
    kept.append(threading.current_thread())
    return JsonResponse({"tokens": [flow["token"] for flow in flows]}, encoder=JSONEncoder)


async def as_json_async(request: Any) -> Any:
    assert current_scope() is not None
    kept.append(request.flowthings)
    return await sync_to_async(as_json)(request)


def late(request: Any) -> Any:
    until(lambda: request.flowthings.left() < 0)
    return HttpResponse(str(request.flowthings.api.flow.read("f1")))


async def late_async(request: Any) -> Any:
    return await sync_to_async(late)(request)


def written(request: Any) -> Any:
    kept.append(request.flowthings)
    request.flowthings.lazy.flow.create({"path": "/acme/a"})
    return HttpResponse("done")


def waiting(request: Any) -> Any:
    """A view that is at work while its client goes, and notices that its calls are cancelled."""
    scope = request.flowthings
    kept.append(scope)
    kept.append(None)
    try:
        until(lambda: scope.api.flow.read("f1") is None)
    except (CallCancelled, ConfigurationError) as error:
        kept.append(error)
        raise
    return HttpResponse("not reached")


async def waiting_async(request: Any) -> Any:
    kept.append(request.flowthings)
    kept.append(None)
    await asyncio.sleep(60)


def streamed(request: Any) -> Any:
    scope = request.flowthings
    kept.append(scope)

    async def parts() -> AsyncIterator[bytes]:
        for id in ("f1", "f2"):
            assert current_scope() is not None
            flow = await sync_to_async(scope.api.flow.read)(id)
            yield flow["id"].encode()
        while "endless" in request.GET:
            yield b"more"
            await asyncio.sleep(0.01)

    return StreamingHttpResponse(parts())


def streamed_in_a_thread(request: Any) -> Any:
    scope = request.flowthings
    return StreamingHttpResponse(scope.api.flow.read(id)["id"].encode() for id in ("f1", "f2"))


VIEWS = (as_json, as_json_async, late, late_async, written, waiting, waiting_async, streamed)
urlpatterns = [path(view.__name__, view) for view in (*VIEWS, streamed_in_a_thread)]


class Exchange:
    """One request, as a server hands it to the application. Its client goes when `gone` is set."""

    def __init__(self, target: str, **headers: str) -> None:
        self.path, _, self.query = target.partition("?")
        self.headers = {"x-token": "one", **{name.replace("_", "-"): headers[name] for name in headers}}
        self.gone = asyncio.Event()
        self.status = 0
        self.body = b""
        self._is_read = False

    async def receive(self) -> dict[str, Any]:
        if not self._is_read:
            self._is_read = True
            return {"type": "http.request", "body": b""}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")

    async def run(self, handler: ASGIHandler) -> Exchange:
        await handler(
            {
                "type": "http", "method": "GET", "path": f"/{self.path}", "query_string": self.query.encode(),
                "headers": [(name.encode(), value.encode()) for name, value in self.headers.items()],
            },
            self.receive, self.send,
        )  # fmt: skip
        return self


def get(handler: ASGIHandler, target: str, **headers: str) -> Exchange:
    async def run() -> Exchange:
        return await Exchange(target, **headers).run(handler)

    return asyncio.run(run())


def leave(handler: ASGIHandler, target: str) -> Exchange:
    """A request whose client goes when the view has begun to wait, or a stream to come."""

    async def run() -> Exchange:
        exchange = Exchange(target)
        serving = asyncio.ensure_future(exchange.run(handler))
        while len(kept) < 2 and b"more" not in exchange.body:
            await asyncio.sleep(0.01)
        exchange.gone.set()
        return await asyncio.wait_for(serving, 30)

    return asyncio.run(run())


def is_closed(scope: RequestScope) -> bool:
    return scope.state is ScopeState.CLOSED


@pytest.mark.parametrize("view", ["as_json", "as_json_async"])
def test_requests_have_scopes_of_their_own(handler: ASGIHandler, view: str) -> None:
    async def run() -> list[Exchange]:
        tokens = [f"t{number}" for number in range(8)]
        return await asyncio.gather(*(Exchange(view, x_token=token).run(handler) for token in tokens))

    for number, exchange in enumerate(asyncio.run(run())):
        assert (exchange.status, json.loads(exchange.body)) == (200, {"tokens": [f"t{number}"] * 3})
    threads = [each for each in kept if isinstance(each, threading.Thread)]
    assert threading.main_thread() not in threads  # in which the event loop runs
    assert all(is_closed(each) for each in kept if isinstance(each, RequestScope))


@pytest.mark.parametrize("view", ["late", "late_async"])
def test_a_view_whose_deadline_has_passed_is_answered_with_504(handler: ASGIHandler, view: str) -> None:
    assert get(handler, view, x_timeout="0.01").status == 504
    assert get(handler, view, x_timeout="soon").status == 400


def test_writes_that_nobody_waits_for_are_finished(handler: ASGIHandler) -> None:
    assert get(handler, "written").body == b"done"
    assert platform.asked == [("one", "POST", 1)]
    with pytest.raises(ConfigurationError, match="closed"):
        kept[0].api.flow.find()


@pytest.mark.parametrize("view", ["streamed", "streamed_in_a_thread"])
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_a_stream_has_its_scope_until_its_end(handler: ASGIHandler, view: str) -> None:
    exchange = get(handler, view)
    assert (exchange.status, exchange.body) == (200, b"f1f2")
    assert all(map(is_closed, kept))


def test_a_stream_whose_client_goes_ends_the_scope(handler: ASGIHandler) -> None:
    assert leave(handler, "streamed?endless").body.startswith(b"f1f2more")
    until(lambda: is_closed(kept[0]))


def test_calls_of_a_view_are_cancelled_when_its_client_goes(handler: ASGIHandler) -> None:
    if settings.MIDDLEWARE[-1] == OUTER:
        pytest.skip("it does not know of the client: see below")
    leave(handler, "waiting")
    until(lambda: len(kept) == 3 and is_closed(kept[0]))


def test_a_coroutine_whose_client_goes_ends_the_scope(handler: ASGIHandler) -> None:
    leave(handler, "waiting_async")
    until(lambda: is_closed(kept[0]))


def test_a_response_that_django_loses_ends_the_scope(handler: ASGIHandler) -> None:
    """As when the client goes just before the response is sent."""

    class Late(ASGIHandler):
        async def run_get_response(self, request: Any) -> Any:
            await super().run_get_response(request)
            kept.append(None)
            await asyncio.sleep(60)

    assert leave(Late(), "written").status == 0
    until(lambda: gc.collect() >= 0 and is_closed(kept[0]))


def test_a_middleware_that_makes_ours_synchronous_is_told_of(
    handler: ASGIHandler, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        assert get(handler, "written").status == 200
    told = [record.getMessage() for record in caplog.records if record.name.startswith("flowthings_like")]
    assert len(told) == (settings.MIDDLEWARE[-1] == OUTER)
    assert all(line.endswith("Put it last") for line in told)

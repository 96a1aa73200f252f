"""FlowThingsMiddleware: Django middleware with a view of an API for each request, as `request.flowthings`.

MIDDLEWARE = [..., "flowthings_like.integrations.django.FlowThingsMiddleware"]
FLOWTHINGS_SCOPES = "mysite.flowthings.scopes"     # a RequestScopes, or its dotted name

def hot(request):
    drops = request.flowthings.lazy.drop("/acme/weather").find(mem.elems.temp > 90)
    return JsonResponse({"drops": drops}, encoder=JSONEncoder)
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any
from weakref import finalize

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse
from django.utils.module_loading import import_string

from ..errors import ConfigurationError, InvalidInput
from ..green.backends.choice import detect
from ..green.calls.thunk import GreenThunk
from .request_scope import CLIENT_HAS_GONE, RequestScope, RequestScopes, ScopeState, status_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["FlowThingsMiddleware", "JSONEncoder", "RequestScopes"]

SETTING = "FLOWTHINGS_SCOPES"

_log = logging.getLogger("flowthings_like.integrations")


class FlowThingsMiddleware:
    """Opens a scope for each request, as `request.flowthings`, and ends it with the response.

    A response that is not streamed is complete when the view returns: calls that are not done are waited for
    when the server closes it. A streamed response whose client goes before its end has its calls cancelled.
    If a view raises because the deadline of its request has passed, the response is 504.

    Under ASGI it is a coroutine function, and Django cancels it when the client goes. Django runs views that
    are no coroutine functions in a thread of the request, where calls may wait. A coroutine must not wait for
    a call or a thunk itself, because that stops the event loop: `asgiref.sync.sync_to_async` does it. Put the
    middleware last: Django calls it synchronously if one that follows it is synchronous, and then it does not
    know when the client goes.

    Raises:
        ConfigurationError: the setting FLOWTHINGS_SCOPES is missing, or is no RequestScopes.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._has_warned = False
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        named: Any = getattr(settings, SETTING, None)
        scopes = import_string(named) if isinstance(named, str) else named
        if not isinstance(scopes, RequestScopes):
            raise ConfigurationError(
                f"the setting {SETTING} is {named!r}; give a RequestScopes, or the dotted name of one"
            )
        self.scopes: RequestScopes = scopes

    def __call__(self, request: Any) -> Any:
        if self._is_async:
            return self._respond(request)
        try:
            scope = self.scopes.open(request.META)
        except InvalidInput as error:
            return _refusal(error)
        request.flowthings = scope
        try:
            response = scope.run(self._get_response, request)
            _end_with(response, scope)
            if isinstance(request, ASGIRequest):
                self._warn_once()
                _end_if_lost(response, scope)
        except BaseException:
            scope.abandon("the view has failed")
            raise
        return response

    def _warn_once(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            _log.warning(
                "FlowThingsMiddleware is called synchronously under ASGI, because a middleware after it in "
                "MIDDLEWARE is synchronous: calls go on when the client of a request has gone. Put it last"
            )

    async def _respond(self, request: Any) -> Any:
        try:
            scope = self.scopes.open(request.META)
        except InvalidInput as error:
            return _refusal(error)
        request.flowthings = scope
        try:
            with scope.entered():
                response = await self._get_response(request)
            _end_with(response, scope)
            _end_if_lost(response, scope)
        except BaseException as error:  # also while the view runs in its thread, which goes on
            reason = CLIENT_HAS_GONE if isinstance(error, asyncio.CancelledError) else "the view has failed"
            # In a thread, because it waits. If this task is cancelled once more, that thread goes on.
            await sync_to_async(scope.abandon, thread_sensitive=False)(reason)
            raise
        return response

    def process_exception(self, request: Any, error: Exception) -> Any:
        """Answer a request whose deadline has passed, or whose client has gone."""
        scope: RequestScope | None = getattr(request, "flowthings", None)
        status = None if scope is None else status_of(error, scope)
        if status is None:
            return None
        code, _, reason = status.partition(" ")
        return HttpResponse(f"{error}\n", status=int(code), reason=reason, content_type="text/plain")


class JSONEncoder(DjangoJSONEncoder):  # type: ignore[misc]  # Django comes without types
    """Django's encoder, for GreenThunks too: `JsonResponse(…, encoder=JSONEncoder)`."""

    def default(self, value: Any) -> Any:
        """What to encode in place of a value that JSON does not have."""
        return value.force() if type(value) is GreenThunk else super().default(value)


def _refusal(error: InvalidInput) -> Any:
    return HttpResponse(f"{error}\n", status=400, content_type="text/plain")


def _end_if_lost(response: Any, scope: RequestScope) -> None:
    """Have the scope end with the response, which Django under ASGI does not close if it is not sent."""
    finalize(response, _abandon_aside, scope).atexit = False


def _abandon_aside(scope: RequestScope) -> None:
    if scope.state is not ScopeState.CLOSED:
        detect().spawn(scope.abandon)


def _end_with(response: Any, scope: RequestScope) -> None:
    """Have the scope end when the response is closed."""
    # A file makes no calls, and the server may have a faster way to send it than part by part.
    is_complete = not response.streaming or getattr(response, "file_to_stream", None) is not None
    if not is_complete:

        def streamed(parts: Iterator[bytes]) -> Iterator[bytes]:
            nonlocal is_complete
            while (part := scope.run(next, parts, None)) is not None:
                yield part
            is_complete = True

        async def streamed_async(parts: Any) -> AsyncIterator[bytes]:
            nonlocal is_complete
            async with AsyncExitStack() as closing:
                if hasattr(parts, "aclose"):
                    await closing.enter_async_context(aclosing(parts))
                while (part := await _next_within(scope, parts)) is not None:
                    yield part
            is_complete = True

        content = response.streaming_content
        response.streaming_content = (
            streamed_async(aiter(content)) if response.is_async else streamed(iter(content))
        )
    close = response.close

    def close_both() -> None:
        try:
            scope.run(close)
        except BaseException:
            scope.abandon("the response could not be closed")
            raise
        if is_complete:
            scope.close()
        else:
            scope.abandon()

    response.close = close_both


async def _next_within(scope: RequestScope, parts: AsyncIterator[bytes]) -> bytes | None:
    """The next part, made in the scope; None after the last one."""
    with scope.entered():
        return await anext(parts, None)

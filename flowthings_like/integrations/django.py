"""FlowThingsMiddleware: Django middleware with a view of an API for each request, as `request.flowthings`.

MIDDLEWARE = [..., "flowthings_like.integrations.django.FlowThingsMiddleware"]
FLOWTHINGS_SCOPES = "mysite.flowthings.scopes"     # a RequestScopes, or its dotted name

def hot(request):
    drops = request.flowthings.lazy.drop("/acme/weather").find(mem.elems.temp > 90)
    return JsonResponse({"drops": drops}, encoder=JSONEncoder)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse
from django.utils.module_loading import import_string

from ..errors import ConfigurationError, InvalidInput
from ..green.calls.thunk import GreenThunk
from .request_scope import RequestScope, RequestScopes, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["FlowThingsMiddleware", "JSONEncoder", "RequestScopes"]

SETTING = "FLOWTHINGS_SCOPES"


class FlowThingsMiddleware:
    """Opens a scope for each request, as `request.flowthings`, and ends it with the response.

    A response that is not streamed is complete when the view returns: calls that are not done are waited for
    when the server closes it. A streamed response whose client goes before its end has its calls cancelled.
    If a view raises because the deadline of its request has passed, the response is 504.

    It serves WSGI only.

    Raises:
        ConfigurationError: the setting FLOWTHINGS_SCOPES is missing, or is no RequestScopes.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        named: Any = getattr(settings, SETTING, None)
        scopes = import_string(named) if isinstance(named, str) else named
        if not isinstance(scopes, RequestScopes):
            raise ConfigurationError(
                f"the setting {SETTING} is {named!r}; give a RequestScopes, or the dotted name of one"
            )
        self.scopes: RequestScopes = scopes

    def __call__(self, request: Any) -> Any:
        try:
            scope = self.scopes.open(request.META)
        except InvalidInput as error:
            return HttpResponse(f"{error}\n", status=400, content_type="text/plain")
        request.flowthings = scope
        try:
            response = scope.run(self._get_response, request)
            _end_with(response, scope)
        except BaseException:
            scope.abandon("the view has failed")
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


def _end_with(response: Any, scope: RequestScope) -> None:
    """Have the scope end when the response is closed."""
    # A file makes no calls, and the server may have a faster way to send it than part by part.
    is_complete = not response.streaming or getattr(response, "file_to_stream", None) is not None
    if not is_complete:
        parts = iter(response.streaming_content)

        def streamed() -> Iterator[bytes]:
            nonlocal is_complete
            while (part := scope.run(next, parts, None)) is not None:
                yield part
            is_complete = True

        response.streaming_content = streamed()
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

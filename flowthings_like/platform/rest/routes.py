"""The route table: which handler answers which method at which path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..problems import MethodNotAllowed, NotFound
from . import drop_routes, plan_routes, resource_routes, statistics_routes
from .envelope import Response

if TYPE_CHECKING:
    from ..resources.access.rights import Caller
    from ..resources.base.resource import Resource
    from ..resources.drops.resource_store import ResourceStore
    from .request import Request, Target
    from .search_limits import Handler, Methods


class Router:
    """The routes of these resources, of drops, statistics and plans."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._by_length: dict[tuple[str, int], Methods] = {}
        self._by_last: dict[tuple[str, int, str], Methods] = {("drop", 2, "aggregate"): drop_routes.AGGREGATE}
        self._add("drop", drop_routes.ROUTES)
        self._add("statistics", statistics_routes.ROUTES)
        self._add("plan", plan_routes.ROUTES)
        for resource in resources:
            self._add(resource.name, resource_routes.routes(resource))
            for name, action in resource.actions.items():
                self._by_last[resource.name, 1, name] = {"POST": _action_handler(action)}

    def methods(self, target: Target) -> Methods:
        """{method: handler} at the path. Raises NotFound if there is nothing there."""
        resource, rest = target.resource, target.rest
        found = self._by_length.get((resource, len(rest)))
        if rest:
            found = self._by_last.get((resource, len(rest), rest[-1]), found)
        if found is None:
            raise NotFound(f"there is no resource {'/'.join(('', resource, *rest))}")
        return found

    def _add(self, name: str, routes: dict[int, Methods]) -> None:
        for length, methods in routes.items():
            self._by_length[name, length] = methods


def _action_handler(action: Callable[[ResourceStore, Caller, Any], Any]) -> Handler:
    def handler(request: Request) -> Response:
        return Response(action(request.store, request.caller, request.body()))

    return handler


def handler_of(found: Methods, method: str) -> Handler:
    """The handler of `method`; HEAD is answered like GET. Raises MethodNotAllowed."""
    handler = found.get("GET" if method == "HEAD" else method)
    if handler is None:
        raise MethodNotAllowed(f"{method} means nothing here: {', '.join(allowed(found))} do", allowed(found))
    return handler


def allowed(found: Methods) -> list[str]:
    """The methods that a path knows, as the Allow header lists them."""
    return [*found, *(["HEAD"] if "GET" in found else []), "OPTIONS"]

"""The route table: which handler answers which method at which path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..problems import MethodNotAllowed, NotFound
from . import drop_routes, plan_routes, resource_routes, statistics_routes
from .envelope import Response
from .operations import operation

if TYPE_CHECKING:
    from ..json_schema import Schema
    from ..resources.access.rights import Caller
    from ..resources.base.resource import Resource
    from ..resources.drops.resource_store import ResourceStore
    from .request import Request, Target
    from .search_limits import Handler, Methods


@dataclass(frozen=True, slots=True)
class Route:
    """A path, and what it knows.

    Attributes:
        resource: the first segment.
        segments: {name: schema} of those after it that may be anything.
        last: the last segment, "" if that is one of `segments`.
        methods: {method: handler}.
    """

    resource: str
    segments: dict[str, Schema]
    last: str
    methods: Methods

    @property
    def path(self) -> str:
        """The path after the account, such as /drop/{flow}/aggregate."""
        variable = [f"{{{name}}}" for name in self.segments]
        return "/".join(["", self.resource, *variable, *([self.last] if self.last else [])])


class Router:
    """The routes of these resources, of drops, statistics and plans."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._segments: dict[str, dict[str, Schema]] = {}
        self._by_length: dict[tuple[str, int], Methods] = {}
        self._by_last: dict[tuple[str, int, str], Methods] = {("drop", 2, "aggregate"): drop_routes.AGGREGATE}
        self._add("drop", drop_routes.ROUTES, drop_routes.SEGMENTS)
        self._add("statistics", statistics_routes.ROUTES, statistics_routes.segments())
        self._add("plan", plan_routes.ROUTES, {})
        for resource in resources:
            routes, segments = resource_routes.routes(resource), resource_routes.segments(resource)
            self._add(resource.name, routes, segments)
            for name, action in resource.actions.items():
                self._by_last[resource.name, 1, name] = {"POST": _action_handler(name, action)}

    def methods(self, target: Target) -> Methods:
        """{method: handler} at the path. Raises NotFound if there is nothing there."""
        resource, rest = target.resource, target.rest
        found = self._by_length.get((resource, len(rest)))
        if rest:
            found = self._by_last.get((resource, len(rest), rest[-1]), found)
        if found is None:
            raise NotFound(f"there is no resource {'/'.join(('', resource, *rest))}")
        return found

    def routes(self) -> Iterator[Route]:
        """All routes, in the order of their paths."""
        found = [
            Route(resource, self._named(resource, length), "", methods)
            for (resource, length), methods in self._by_length.items()
        ]
        found += [
            Route(resource, self._named(resource, length - 1), last, methods)
            for (resource, length, last), methods in self._by_last.items()
        ]
        return iter(sorted(found, key=lambda route: route.path))

    def _named(self, resource: str, count: int) -> dict[str, Schema]:
        segments = self._segments[resource]
        return {name: segments[name] for name in [*segments][:count]}

    def _add(self, name: str, routes: dict[int, Methods], segments: dict[str, Schema]) -> None:
        self._segments[name] = segments
        for length, methods in routes.items():
            self._by_length[name, length] = methods


def _action_handler(name: str, action: Callable[[ResourceStore, Caller, Any], Any]) -> Handler:
    @operation(f"{name.capitalize()} one", {"type": "object"}, body={"type": "object"})
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

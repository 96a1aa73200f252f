"""Drops: the data in flows. Creates, finds and aggregates them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from ...changes import P, filter_text
from ...errors import InvalidInput
from ...filters.nodes import Filter
from ...green.calls.markers import api_factory, plain, reads
from ...transport.http.urls import segment, wire_params
from ...transport.outgoing_values import items, resolve, text
from . import bulk_forms
from .arguments import takes_find_parameters
from .find_each import find_each
from .resource import Resource, query_params, with_filters
from .writing import AbstractServiceFactory, Creatable, FullService

if TYPE_CHECKING:
    from typing import TypeAlias

    from ...green.calls.thunk import GreenThunk
    from ...transport.http.client import Connection
    from .arguments import Id, Model, Models, Names
    from .flow import Flow
    from .follower import Follower

    Place: TypeAlias = Id | Mapping[str, Any] | GreenThunk[Flow]

__all__ = ["Drop", "DropService", "DropServiceFactory", "ParentDrop"]


class ParentDrop(TypedDict, total=False):
    """The drop that a track copied to make this one."""

    flowId: str
    dropId: str


class Drop(Resource, total=False):
    """A drop, as `api.drop(flow)` returns it."""

    flowId: str
    path: str
    elems: dict[str, Any]
    location: dict[str, Any]
    fhash: str
    version: int
    parentDropId: ParentDrop


class DropService(FullService[Drop]):
    """`api.drop(flow)`: the drops of one flow.

    Args:
        flow: the flow's id, its path, or the flow itself: a dict with an `id`, or a GreenThunk of one.
            A GreenThunk is waited for when the first request is made.
    """

    def __init__(self, flow: Any, connection: Connection) -> None:
        super().__init__(connection)
        self._flow = flow
        if not hasattr(type(flow), "unwrap"):
            _flow_name(flow)

    @property
    def path(self) -> str:  # type: ignore[override]
        """The resource path `/drop/<flow>`, in which a flow's path is one percent-encoded segment."""
        return "/drop/" + segment(_flow_name(self._flow))

    def _path_for_repr(self) -> str:
        return f"/drop/{self._flow!r}" if hasattr(type(self._flow), "unwrap") else self.path

    @bulk_forms.create_drop
    def create(self, model: Model, **params: Any) -> Drop:
        """Create a drop, and return it with its id and all its members."""
        return super().create(model, **params)

    def create_many(self, models: Models, **params: Any) -> list[Drop]:
        """Create many drops in one request. Either all are created, or none.

        Args:
            models: the drops, each with `elems`.

        Returns:
            The new drops, in the order of the models. Without models it returns [] and sends no request.
        """
        data = items(models, "create_many", "drops", "for one drop write create(model)")
        for index, model in enumerate(data):
            if type(model) is not dict and not isinstance(resolve(model), Mapping):
                raise InvalidInput(f"create_many: drop {index} is a {type(model).__name__}, not a dict")
        return self._call("POST", "", data, params) if data else []

    if not TYPE_CHECKING:  # the types are those of Findable

        @bulk_forms.find_drops
        @takes_find_parameters
        def find_many(self, *filters: Filter | str, **params: Any) -> Any:
            """Return the drops that match all these filters, newest first. See `Findable.find_many`."""
            return super().find_many(*filters, **params)

    def _as_query(self, *filters: Filter | str, **params: Any) -> tuple[str, dict[str, Any]] | None:
        """A key that is equal for equal finds, and the find as an entry for `find_each`.

        None for a find that cannot be made together with others.
        """
        if len(filters) == 1 and isinstance(filters[0], Filter) and _are_plain(params):
            # The result is that of the other branch, in a third of the time.
            wanted = {**params, "filter": str(filters[0])}
        else:
            wanted = wire_params(query_params(with_filters(filters, params)).to_dict())
        if wanted.keys() & {"refs", "explain"} or "retry" in params:
            return None
        flow = self._flow if type(self._flow) is str else _flow_name(self._flow)
        return f"{flow} {wanted}", {"flowId": flow, "params": {**self.connection.params, **wanted}}

    def _find_each(self, queries: list[dict[str, Any]], **params: Any) -> list[Any]:
        return find_each(self.connection, queries, params)

    def delete_all(self, **params: Any) -> Any:
        """Delete all drops of the flow, but not the flow."""
        return self._call("DELETE", "", None, params)

    @plain
    def follow(
        self,
        *filters: Filter | str,
        since: Any = "now",
        timeout: float | None = None,
        hints: bool = False,
    ) -> Follower[Drop]:
        """Follow the flow: an iterator over its drops from some point on, which waits for more.

        Each drop comes once, in the order of arrival, whatever happens to the connection. A drop that is
        updated, or replaced by another one with the same fhash, does not come again. Drops that were evicted
        or deleted before the follower got them do not come.

        It is the same under `lazy()` and `async_()`: the waiting is done in the thread that asks for a drop.

        Args:
            filters: drops must match all of these. The platform tests them.
            since: "now", that is, what is created after this call; "start", everything that the flow holds; a
                drop or its id, what arrived after it; a datetime, or milliseconds since 1970, from the first
                arrival with that creation date; a `cursor` of an earlier follower, what came after its last
                drop.
            timeout: seconds to wait for each drop; then the loop ends. It may be continued with another loop.
            hints: return elements as {"type": …, "value": …}.

        Raises:
            FlowThingsNotFound, FlowThingsForbidden: there is no such flow, or it may not be read.
            FlowThingsBadRequest: the filter is none.
            InvalidInput: an argument cannot be used.
        """
        from .follower import Follower, parse_since  # it imports websocket-client, and that the sockets

        wanted = wire_params(query_params({"filter": filters} if filters else {}).to_dict())
        made: Follower[Drop] = Follower(
            self.connection,
            _flow_name(self._flow),
            filter=wanted.get("filter", ""),
            since=parse_since(since),
            timeout=timeout,
            hints=hints,
        )
        try:
            made.open()
        except BaseException:
            made.close()
            raise
        return made

    @reads
    def aggregate(
        self,
        outputs: Names | None = None,
        group_by: Names | None = None,
        filter: Filter | str | None = None,
        rules: Mapping[str, Filter | str] | None = None,
        sorts: Names | None = None,
        *,
        output: Names | None = None,
        **params: Any,
    ) -> list[dict[str, Any]]:
        """Compute measures over the drops of the flow, such as `{"id": {"$month": 1}, "$count": 744}`.

        Args:
            outputs: the measures: "$avg:m", "$min:m", "$max:m", "$sum:m", "$count", "$unique:m", "$all:m",
                for a member or a rule m. A str is a list of one.
            group_by: members, rules, or parts of the creation date ("$year", "$month", "$day", "$hour" …).
            filter: which drops to include.
            rules: named filters. Each is 1 for a drop that matches and 0 for another, so "$avg:name" is the
                share of the drops that match.
            sorts: members of the rows to sort by, each with or without ":asc" or ":desc".
            output: the original client's name for `outputs`.

        Returns:
            A list of rows, one for each group.
        """
        if (outputs is None) == (output is None):
            raise InvalidInput(
                "aggregate: give outputs (or output) once, for instance ['$avg:temp', '$count']"
            )
        data: dict[str, Any] = {"output": _names(outputs if output is None else output, "outputs")}
        if not data["output"]:
            raise InvalidInput("aggregate: outputs is empty; give for instance ['$count']")
        if group_by is not None:
            data["groupBy"] = _names(group_by, "group_by")
        if filter is not None:
            data["filter"] = filter_text(filter)
        if rules is not None:
            data["rules"] = _rules(rules)
        if sorts is not None:
            data["sorts"] = _names(sorts, "sorts")
        rows: list[dict[str, Any]] = self._call("POST", "/aggregate", data, params)
        return rows


class DropServiceFactory(Creatable[Drop], AbstractServiceFactory):
    """`api.drop`. Call it with a flow to get that flow's drops. Its own methods work across flows."""

    name = "drop"
    path = "/drop"
    service_class = DropService

    @api_factory
    def __call__(self, context: Place) -> DropService:
        """The service of one flow's drops."""
        return DropService(context, self.connection)

    def create(self, model: Model, **params: Any) -> Drop:
        """Create a drop in the flow with the model's `path`: `{"path": "/acme/a", "elems": {…}}`."""
        return super().create(model, **params)

    @reads
    def multi_find(self, queries: Iterable[Any], **params: Any) -> dict[str, list[Drop]]:
        """Search several flows in one request.

        Args:
            queries: for each flow its id, or `{"flowId": …, "params": {…}}` with parameters of `find_many`,
                such as `filter`.

        Returns:
            A dict of flow id to the list of its drops. Without queries it returns {} and sends no request.
        """
        asked = items(queries, "multi_find", "queries", "for one flow write drop(flow).find()")
        data = [_multi_find_entry(resolve(query)) for query in asked]
        return self._call("MGET", "", data, params) if data else {}


def _multi_find_entry(query: Any) -> dict[str, Any]:
    if isinstance(query, str | bytes):
        return {"flowId": text(query, "a flow's id"), "params": {}}
    if not isinstance(query, Mapping) or set(query) - {"flowId", "params"} or "flowId" not in query:
        raise InvalidInput("multi_find: each query is a flow's id or {'flowId': …, 'params': {…}}")
    flow = text(query["flowId"], "flowId")
    return {"flowId": flow, "params": wire_params(P.of(query.get("params")).to_dict())}


def _are_plain(params: Mapping[str, Any]) -> bool:
    """Whether keywords are query parameters that need no conversion: numbers and texts, under plain names."""
    return all(type(value) in (int, str) for value in params.values()) and params.keys().isdisjoint(
        _CONVERTED
    )


_CONVERTED = frozenset({"filter", "only", "refs", "params", "retry", "timeout"})


def _flow_name(flow: Any) -> str:
    flow = resolve(flow)
    if isinstance(flow, Mapping):
        flow = flow.get("id") or flow.get("path")
        if flow is None:
            raise InvalidInput("drop(flow): this flow has neither 'id' nor 'path'")
    if isinstance(flow, list | tuple):
        raise InvalidInput("drop(flow) takes one flow, not a list; write drop(flows[0])")
    return text(flow, "a flow's id or path")


def _rules(given: Any) -> dict[str, str]:
    rules = resolve(given)
    if not isinstance(rules, Mapping):
        raise InvalidInput(
            "aggregate: rules is a dict of names to filters, {'windy': mem.elems.wind > 30}, "
            f"not {type(rules).__name__}"
        )
    if not all(isinstance(name, str) and name for name in rules):
        raise InvalidInput("aggregate: the name of each rule is a non-empty str")
    return {name: filter_text(rule) for name, rule in rules.items()}


def _names(given: Any, what: str) -> list[str]:
    given = resolve(given)
    if isinstance(given, str):
        return [given]
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise InvalidInput(f"aggregate: {what} must be a list of str, not {type(given).__name__}")
    names = [resolve(name) for name in given]
    if not all(isinstance(name, str) and name for name in names):
        raise InvalidInput(f"aggregate: {what} must be a list of non-empty str")
    return names

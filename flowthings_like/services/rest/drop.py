"""Drops: the data itself, and what can be computed from a flow of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from ...changes import P, filter_text
from ...errors import InvalidInput
from ...filters.nodes import Filter
from ...green.calls.marks import api_factory, reads
from ...transport.http.urls import segment, wire_params
from ...transport.values import items, resolve, text
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

    Place: TypeAlias = Id | Mapping[str, Any] | GreenThunk[Flow]

__all__ = ["Drop", "DropService", "DropServiceFactory", "ParentDrop"]


class ParentDrop(TypedDict, total=False):
    """The drop that a track made this one of."""

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
        flow: the flow's id, its path, or the flow itself: a dict (or a GreenThunk of one) with an `id`.
            A GreenThunk is waited for at the first request, not before.
    """

    def __init__(self, flow: Any, connection: Connection) -> None:
        super().__init__(connection)
        self._flow = flow
        if not hasattr(type(flow), "unwrap"):
            _flow_name(flow)

    @property
    def path(self) -> str:  # type: ignore[override]
        """The resource path, `/drop/<flow>`; a flow's path stands in it as one percent-encoded segment."""
        return "/drop/" + segment(_flow_name(self._flow))

    def _shown(self) -> str:
        return f"/drop/{self._flow!r}" if hasattr(type(self._flow), "unwrap") else self.path

    @bulk_forms.create_drop
    def create(self, model: Model, **params: Any) -> Drop:
        """Create a drop and return it whole, with its id."""
        return super().create(model, **params)

    def create_many(self, models: Models, **params: Any) -> list[Drop]:
        """Create many drops in one request: all of them, or none.

        Args:
            models: the drops, each with `elems`.

        Returns:
            The new drops, in the order of the models; [] without a request for no models.
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
            """The drops for which all these filters hold, newest first; see `Findable.find_many`."""
            return super().find_many(*filters, **params)

    def _as_query(self, *filters: Filter | str, **params: Any) -> tuple[str, dict[str, Any]] | None:
        """(what equal finds have in common, what to find where) for `find_each`; None if it must go alone."""
        if len(filters) == 1 and isinstance(filters[0], Filter) and _are_plain(params):
            wanted = {
                **params,
                "filter": str(filters[0]),
            }  # what the other line comes to, in a third of the time
        else:
            wanted = wire_params(query_params(with_filters(filters, params)).to_dict())
        if wanted.keys() & {"refs", "explain"} or "retry" in params:
            return None
        flow = self._flow if type(self._flow) is str else _flow_name(self._flow)
        return f"{flow} {wanted}", {"flowId": flow, "params": {**self.connection.params, **wanted}}

    def _find_each(self, queries: list[dict[str, Any]], **params: Any) -> list[Any]:
        return find_each(self.connection, queries, params)

    def delete_all(self, **params: Any) -> Any:
        """Delete every drop of the flow; the flow stays."""
        return self._call("DELETE", "", None, params)

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
        """Figures over the drops of the flow, for instance `{"id": {"$month": 1}, "$count": 744}`.

        Args:
            outputs: what to compute: "$avg:m", "$min:m", "$max:m", "$sum:m", "$count", "$unique:m", "$all:m",
                for a member or a rule m; a single str is a list of one.
            group_by: members, rules, or parts of the creation date ("$year", "$month", "$day", "$hour" …).
            filter: which drops to look at.
            rules: named filters; each is 1 or 0 for a drop, so that "$avg:name" is the part that passes.
            sorts: members of the result to sort by, each with ":asc" or ":desc" behind it or not.
            output: the original client's name for `outputs`.

        Returns:
            A list of rows, one for each group.
        """
        if (outputs is None) == (output is None):
            raise InvalidInput("aggregate: give the outputs, for instance ['$avg:temp', '$count'], once")
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
    """`api.drop`: call it with a flow to get at its drops; on its own it works across flows."""

    name = "drop"
    path = "/drop"
    service_class = DropService

    @api_factory
    def __call__(self, context: Place) -> DropService:
        """The drops of this flow."""
        return DropService(context, self.connection)

    def create(self, model: Model, **params: Any) -> Drop:
        """Create a drop in the flow that the model names by `path`: `{"path": "/acme/a", "elems": {…}}`."""
        return super().create(model, **params)

    @reads
    def multi_find(self, queries: Iterable[Any], **params: Any) -> dict[str, list[Drop]]:
        """Search several flows in one request.

        Args:
            queries: for each flow its id, or `{"flowId": …, "params": {…}}` with the parameters of
                `find_many`, a filter among them.

        Returns:
            A dict of flow id to its list of drops; {} without a request for no queries.
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
    """Whether keywords travel as they are: whole numbers and texts, and no name that means more."""
    return all(type(value) in (int, str) for value in params.values()) and params.keys().isdisjoint(
        _MEAN_MORE
    )


_MEAN_MORE = frozenset({"filter", "only", "refs", "params", "retry", "timeout"})


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
        raise InvalidInput("aggregate: each of the rules' names is a non-empty str")
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

"""The functions of the @thingsdb scope for collections, and for the settings of scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....wire.things import errors as things_errors
from ....wire.things.privileges import Privilege
from ....wire.things.scopes import parse_scope
from ..language.values.datetimes import zone_names
from ..language.values.plain import result_depth
from ..resolved_scope import ResolvedScope, resolve_scope
from .functions import context_of, require_change, thingsdb_function

if TYPE_CHECKING:
    from ..database.state import CollectionEntry
    from ..language import Run
    from ..language.values.types import Value
    from ..request_context import RequestContext


@thingsdb_function
def collections_info(run: Run) -> list[Any]:
    context = context_of(run)
    return [_collection(entry) for entry in context.state.collections.values() if _sees(context, entry)]


@thingsdb_function
def collection_info(run: Run, name: str) -> dict[str, Any]:
    return _collection(context_of(run).state.collection(name))


@thingsdb_function
def has_collection(run: Run, name: str) -> bool:
    return name in context_of(run).state.collections


@thingsdb_function
def new_collection(run: Run, name: str) -> str:
    context = require_change(run)
    entry = context.state.new_collection(name)
    if not context.user.owner:
        context.user.access[entry.number] = Privilege.FULL
        context.state.put_user(context.user)
    return name


@thingsdb_function
def del_collection(run: Run, name: str) -> None:
    context = require_change(run)
    entry = context.state.collection(name)
    context.delete_rooms(entry)
    context.state.delete_collection(entry)


@thingsdb_function
def rename_collection(run: Run, name: str, new_name: str) -> None:
    context = require_change(run)
    context.state.rename_collection(context.state.collection(name), new_name)


@thingsdb_function
def set_time_zone(run: Run, scope: str, zone: str) -> None:
    """Set the time zone of datetimes that name none, in a collection or in @thingsdb."""
    context, resolved = _require_change_in(run, scope)
    if zone not in zone_names():
        raise things_errors.ValueError("unknown time zone")
    if resolved.entry is None:
        raise things_errors.LookupError("the @node scope of this node has no time zone but UTC")
    context.state.set_zone(resolved.entry, zone)


@thingsdb_function
def set_default_deep(run: Run, scope: str, deep: Value) -> None:
    """Set how many levels of things the results of a scope show, unless the code says otherwise."""
    context, resolved = _require_change_in(run, scope)
    depth = result_depth(deep)
    if resolved.entry is None:
        context.state.set_deep(context.state.thingsdb, node_deep=depth)
    else:
        context.state.set_deep(resolved.entry, deep=depth)


@thingsdb_function
def time_zones_info(run: Run) -> list[str]:
    return sorted(zone_names())


def _require_change_in(run: Run, name: str) -> tuple[RequestContext, ResolvedScope]:
    """Look up a scope, or a collection by its bare name, and require that the user may change it."""
    context = context_of(run)
    try:
        resolved = resolve_scope(parse_scope(name), context.state, context.node.id)
    except things_errors.ValueError:
        entry = context.state.collection(name)
        resolved = ResolvedScope(entry.number, entry, entry.scope)
    context.user.require(resolved.key, Privilege.CHANGE, resolved.name)
    return context, resolved


def _collection(entry: CollectionEntry) -> dict[str, Any]:
    collection = entry.collection
    return {
        "collection_id": entry.number,
        "name": collection.name,
        "things": len(collection.things),
        "created_at": entry.created,
        "next_free_id": collection.next_id,
        "time_zone": entry.zone,
        "default_deep": entry.deep,
    }


def _sees(context: RequestContext, entry: CollectionEntry) -> bool:
    return context.user.owner or bool(context.user.access.get(entry.number))

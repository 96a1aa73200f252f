"""The verbs of drops: create, read, find, update, delete, within one flow.

A flow is named by its id or its path everywhere. Documents are plain maps; `hints=True` gives their elements
in typed form. Every writing call is one transaction, on disk when it returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sqlalchemy import bindparam
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from ....wire.gc_paused import with_gc_paused
from ...ids import is_id, now_ms
from ...problems import BadRequest, NotFound, Problem, TooLarge
from ...store.schema import drops as table
from ..access.authorization import authorize
from ..query.query import Query
from . import elements, flow_sizes, query_plan, rows, validation
from .arrival import Arrival
from .find import find_in, readable
from .ingest import Ingest, refused
from .script_runs import ScriptRuns, ScriptsNeeded

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..access.rights import Caller
    from .announcements import Announcement
    from .flow_cache import Flow, FlowCache
    from .resource_store import ResourceStore
    from .validation import ValidatedDrop

T = TypeVar("T")


class Created(NamedTuple):
    """The result of a create.

    Attributes:
        drops: one for each model, in order.
        evicted: how many drops the flow gave up for them.
        evicted_created: how many of these are among `drops`: they are gone already.
    """

    drops: list[dict[str, Any]]
    evicted: int
    evicted_created: int


MOST_AT_ONCE = 10_000
"""Most drops in one bulk call."""

_NAMES = ("id", "flowId", "path", "lastEditDate")
"""What a writer without the right dropRead is shown of a drop that was there before."""

_DELETE = sql_delete(table).where(table.c.flow_id == bindparam("flow"), table.c.id == bindparam("drop"))


def create(
    store: ResourceStore, caller: Caller, flow: str, model: Any, *, hints: bool = False
) -> dict[str, Any]:
    """Add a drop, or replace the elements of the one with the same fhash; return it.

    Args:
        model: `elems`, and if wanted `fhash`, `location` and `creationDate` (ms since the epoch).

    Raises:
        BadRequest: the model is wrong or does not match the flow's filter.
        Forbidden: no dropWrite right.
        NotFound: no such flow.
    """
    return create_counted(store, caller, flow, model, hints=hints).drops[0]


def create_many(
    store: ResourceStore, caller: Caller, flow: str, models: Any, *, hints: bool = False
) -> list[dict[str, Any]]:
    """Like `create` for each model, in order, all or none; return a drop for each.

    Raises:
        as `create`, the message saying which drop is meant, counted from 0; TooLarge beyond MOST_AT_ONCE.
    """
    if not isinstance(models, (list, tuple)):
        raise BadRequest("drops must be a list of maps, each with elems")
    return create_counted(store, caller, flow, models, hints=hints).drops


def create_counted(
    store: ResourceStore, caller: Caller, flow: str, models: Any, *, hints: bool = False
) -> Created:
    """`create_many` for a list of models, `create` for one, and how many drops were evicted."""
    if not isinstance(models, (list, tuple)):
        return _create(store, caller, flow, [validation.validated(models)], hints)
    _check_count(len(models), "drops")
    return _create(store, caller, flow, with_gc_paused(_validated, models), hints)


def _validated(models: Sequence[Any]) -> list[ValidatedDrop]:
    prepared = []
    for index, model in enumerate(models):
        try:
            prepared.append(validation.validated(model))
        except Problem as problem:
            raise type(problem)(f"drop {index}: {problem.message}") from problem
    return prepared


def read(
    store: ResourceStore, caller: Caller, flow: str, drop: str, *, hints: bool = False
) -> dict[str, Any]:
    """One drop. Raises BadRequest, Forbidden, NotFound."""

    def work(connection: Connection) -> dict[str, Any]:
        found = readable(connection, caller, flow)
        return rows.to_document(_row(connection, found, drop), found.path, hints)

    return store.read(work)


def read_many(
    store: ResourceStore, caller: Caller, flow: str, ids: Any, *, hints: bool = False
) -> dict[str, dict[str, Any]]:
    """Those of `ids` that exist, by id. Raises BadRequest, Forbidden, NotFound (no such flow), TooLarge."""
    if not isinstance(ids, (list, tuple)) or not all(isinstance(name, str) for name in ids):
        raise BadRequest("ids must be a list of drop ids")
    _check_count(len(ids), "ids")
    wanted = [name for name in dict.fromkeys(ids) if is_id(name, "d")]

    def work(connection: Connection) -> dict[str, dict[str, Any]]:
        found = readable(connection, caller, flow)
        stored = rows.find_by_id(connection, found.id, wanted)
        return {name: rows.to_document(stored[name], found.path, hints) for name in wanted if name in stored}

    return store.read(work)


def find(
    store: ResourceStore, caller: Caller, flow: str, query: Query | None = None, *, hints: bool = False
) -> list[dict[str, Any]]:
    """The drops that `query` asks for, newest first by default. Raises BadRequest, Forbidden, NotFound."""
    wanted = query or Query()
    found = store.read(
        lambda connection: find_in(connection, readable(connection, caller, flow), wanted, hints)
    )
    if found.is_pending:
        store.indexing.wake()
    return found.drops


def explain(store: ResourceStore, caller: Caller, flow: str, query: Query) -> dict[str, Any]:
    """Which way `find` would go, and which indexes it would use; see `lookup.explain`. Raises as `find`."""

    def work(connection: Connection) -> dict[str, Any]:
        return query_plan.explain(connection, readable(connection, caller, flow), query)

    return store.read(work)


def update(
    store: ResourceStore, caller: Caller, flow: str, drop: str, changes: Any, *, hints: bool = False
) -> dict[str, Any]:
    """Change the members that `changes` lists (elems as a whole, location, fhash); return the drop.

    The drop keeps its id and age and is not tracked again. Members that the platform sets are ignored.

    Raises:
        BadRequest: a member is wrong, the result does not match the flow's filter, or the fhash is taken.
        Forbidden, NotFound.
    """
    return update_many(store, caller, flow, {drop: changes}, hints=hints)[drop]


def update_many(
    store: ResourceStore, caller: Caller, flow: str, changes: Any, *, hints: bool = False
) -> dict[str, dict[str, Any]]:
    """Like `update` for each of {id: changes}, all or none; return the drops by id."""
    if not isinstance(changes, Mapping):
        raise BadRequest("changes must be a map from drop id to the members that change")
    _check_count(len(changes), "changes")
    prepared = {}
    for name, model in changes.items():
        try:
            prepared[name] = validation.changes(model)
        except Problem as problem:
            raise type(problem)(
                f"{name}: {problem.message}" if len(changes) > 1 else problem.message
            ) from problem
    now = now_ms()

    def work(connection: Connection) -> dict[str, dict[str, Any]]:
        found = _writable(connection, store.flow_cache, caller, flow)
        changed = {
            name: _update(connection, found, name, values, now, hints) for name, values in prepared.items()
        }
        if caller.may(found.path, "dropRead"):
            return changed
        return {name: _only(document, _NAMES) for name, document in changed.items()}

    return store.write(work)


def set_member(
    store: ResourceStore,
    caller: Caller,
    flow: str,
    drop: str,
    member: str,
    value: Any,
    *,
    hints: bool = False,
) -> dict[str, Any]:
    """Set one member: elems, location or fhash, or one element by `elems.name`; return the drop.

    Raises:
        as `update`.
    """
    if not member.startswith("elems."):
        return update(store, caller, flow, drop, {member: value}, hints=hints)
    name = member.removeprefix("elems.")
    accepted, types = elements.accept({name: value})
    now = now_ms()

    def work(connection: Connection) -> dict[str, Any]:
        found = _writable(connection, store.flow_cache, caller, flow)
        known = rows.to_document(_row(connection, found, drop), found.path, hints=True)
        model = {**known["elems"], **elements.with_hints(accepted, types)}
        changed = _update(connection, found, drop, validation.changes({"elems": model}), now, hints)
        return changed if caller.may(found.path, "dropRead") else _only(changed, _NAMES)

    return store.write(work)


def delete(store: ResourceStore, caller: Caller, flow: str, drop: str) -> None:
    """Delete a drop. Raises BadRequest, Forbidden, NotFound."""

    def work(connection: Connection) -> None:
        found = _writable(connection, store.flow_cache, caller, flow)
        _row(connection, found, drop)
        connection.execute(_DELETE, {"flow": found.id, "drop": drop})
        flow_sizes.resize(connection, found.id, -1)

    store.write(work)


def delete_all(store: ResourceStore, caller: Caller, flow: str) -> None:
    """Delete all drops of a flow, which itself stays. Raises BadRequest, Forbidden, NotFound."""

    def work(connection: Connection) -> None:
        flow_sizes.empty(connection, _writable(connection, store.flow_cache, caller, flow).id)

    store.write(work)


def _create(
    store: ResourceStore, caller: Caller, flow: str, prepared: list[ValidatedDrop], hints: bool
) -> Created:
    now = now_ms()
    scripts = ScriptRuns()
    announced: list[Announcement] = []  # stays empty if the write is a repetition

    def work(connection: Connection) -> tuple[list[dict[str, Any]], int, int]:
        scripts.needed.clear()  # of an earlier transaction, in which other tracks may have been there
        found = _writable(connection, store.flow_cache, caller, flow)
        is_followed = store.announcements.is_followed(now)
        ingest = Ingest(connection, store.flow_cache, caller.identity, now, scripts, is_followed)
        create = partial(with_gc_paused, ingest.create) if len(prepared) > 1 else ingest.create
        arrivals = create(found, prepared)
        if hints:
            made = [rows.to_document(rows.to_row(arrival.row), found.path, True) for arrival in arrivals]
        else:
            made = [arrival.document for arrival in arrivals]
        if not caller.may(found.path, "dropRead"):  # those with a fhash may replace others
            shown = (*_NAMES, "fhash", "elems")
            made = [_only(one, shown) if "lastEditDate" in one else one for one in made]
        announced[:] = ingest.announcements
        return made, ingest.evicted, ingest.evicted_created

    # A repeated write returns the stored result of the first one: lists in place of tuples, and the drops
    # alone if an earlier version stored it.
    while True:
        try:
            with scripts.turn(store):
                found = store.write(work, committed=lambda: store.announcements.publish(announced))
            break
        except ScriptsNeeded:
            scripts.run(store)
    return Created(*found) if len(found) == 3 and isinstance(found[0], list) else Created(list(found), 0, 0)


def _only(document: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}


def _update(
    connection: Connection, flow: Flow, drop: str, values: dict[str, Any], now: int, hints: bool
) -> dict[str, Any]:
    row = rows.from_row(_row(connection, flow, drop))
    if values:
        fhash = values.get("fhash")
        if fhash is not None and fhash != row["fhash"] and rows.find_by_fhash(connection, flow.id, [fhash]):
            raise BadRequest(f"another drop of {flow.path} has the fhash {fhash!r}")
        row.update(values, edited=now)
        document = rows.to_document(rows.to_row(row), flow.path)
        if flow.accepts is not None and not flow.accepts(Arrival(document, row).filtered(), now):
            raise refused(flow)
        dialect = connection.dialect.name
        kept = {} if flow.indexes is None else flow.indexes.columns(row["created"], document, dialect)
        changed = sql_update(table).where(table.c.flow_id == flow.id, table.c.id == drop)
        connection.execute(changed.values(**values, **kept, edited=now))
    return rows.to_document(rows.to_row(row), flow.path, hints)


def _row(connection: Connection, flow: Flow, drop: str) -> Any:
    if not is_id(drop, "d"):
        raise BadRequest(f"{drop!r} is no drop's id, which is a d and 24 hex digits")
    row = rows.find_one(connection, flow.id, drop)
    if row is None:
        raise NotFound(f"there is no drop {drop} in {flow.path}")
    return row


def _writable(connection: Connection, cache: FlowCache, caller: Caller, flow: str) -> Flow:
    return authorize(connection, caller, flow, "dropWrite", cache.flow)


def _check_count(count: int, what: str) -> None:
    if count > MOST_AT_ONCE:
        raise TooLarge(f"{count} {what} at once: {MOST_AT_ONCE} is the most")

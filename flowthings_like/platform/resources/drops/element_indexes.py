"""Element indexes: which elements a flow indexes, what their columns hold, and the backfill of old drops.

Every write of a drop fills the columns of its flow's indexes in the same transaction. When a flow's list of
indexes changes, the existing drops are backfilled in small batches, in the order of their ids. Each batch is
a transaction that also records how far it came. Until all are done the new indexes are written and not read.
Any process may do any batch, and may die between two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import bindparam, delete, select, update

from ....errors import InvalidInput
from ....filters.index_columns import Path, Slots, path_of, stored_value
from ....filters.nodes import Member
from ....filters.quoting import split_path
from ....filters.values import ELEMENTS, finder
from ...json_schema import accepts
from ...problems import BadRequest
from ...store.bulk import execute_many, upsert
from ...store.schema import SLOT_NAMES, SLOTS, drops, element_indexes, sizes
from ...store.slots import columns_of, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Update
    from sqlalchemy.engine import Connection

MOST = SLOTS
"""Most elements that a flow may index."""

BATCH = 500
"""Most drops that are backfilled in one transaction."""

BATCH_BYTES = 4 * 1024 * 1024
"""Bytes of elements after which a batch ends before it has BATCH drops."""

_PENDING = (
    select(element_indexes.c.flow_id, element_indexes.c.slots, element_indexes.c.cursor)
    .where(element_indexes.c.cursor.is_not(None))
    .order_by(element_indexes.c.flow_id)
    .limit(1)
)
_AFTER = (
    select(drops.c.id, drops.c.created, drops.c.elems)
    .where(drops.c.flow_id == bindparam("in_flow"), drops.c.id > bindparam("after"))
    .order_by(drops.c.id)
    .limit(BATCH)
)


@lru_cache
def _backfilling(dialect: str) -> Update:
    names = ("indexed", *columns_of(dialect))
    return (
        update(drops)
        .where(drops.c.flow_id == bindparam("in_flow"), drops.c.id == bindparam("with_id"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )


@dataclass(frozen=True, slots=True)
class Indexes:
    """The indexes of one flow.

    Attributes:
        elements: by slot, the element as the flow names it; None where the slot is free.
        ready: the slots that finds may read, by the element's path.
        pending: whether drops wait to be backfilled.
        finders: (column, what finds its element in a document), for every slot that is written.
    """

    elements: tuple[str | None, ...]
    ready: Slots
    pending: bool
    finders: tuple[tuple[str, Callable[[Mapping[str, Any]], Any]], ...]

    def columns(self, created: int, document: Mapping[str, Any], dialect: str) -> dict[str, Any]:
        """The values of the indexes' columns for a drop, in a database of this dialect."""
        if not self.finders:
            return {}
        found: dict[str, Any] = {"indexed": created}
        for name, find in self.finders:
            value = find(document)
            found[name] = stored_value(value)
        return written(found, dialect)


@lru_cache(maxsize=4096)
def parsed(slots: str, pending: bool) -> Indexes:
    """The indexes that a row of their table says."""
    listed = orjson.loads(slots)
    elements = tuple(slot and slot["element"] for slot in listed)
    ready = {path(slot["element"]): number for number, slot in enumerate(listed) if slot and slot["ready"]}
    finders = tuple(
        (SLOT_NAMES[number], finder(Member((ELEMENTS, *path(element)))))
        for number, element in enumerate(elements)
        if element is not None
    )
    return Indexes(elements, ready, pending, finders)


def path(element: str) -> Path:
    """The path of an element's name, `temp` or `elems.temp`.

    Raises:
        BadRequest: it names no element.
    """
    try:
        found = path_of(split_path(element))
    except InvalidInput as error:
        raise BadRequest(f"index: {element!r} names no element: {error}") from error
    if found is None:
        raise BadRequest(
            f"index: {element!r} is no element, write elems.NAME; "
            "id, creationDate and fhash need no index, other members cannot have one"
        )
    return found


@accepts({"type": "array", "items": {"type": "string"}, "maxItems": MOST, "uniqueItems": True})
def check(name: str, value: Any) -> list[str]:
    """A flow's `index` member: a list of elements, each once. Raises BadRequest."""
    if not isinstance(value, list) or not all(isinstance(element, str) for element in value):
        raise BadRequest(f'{name} must be a list of elements such as ["elems.station", "elems.at"]')
    if len(value) > MOST:
        raise BadRequest(f"{name} has {len(value)} elements: {MOST} is the most")
    paths = [path(element) for element in value]
    for element, found in zip(value, paths, strict=True):
        if paths.count(found) > 1:
            raise BadRequest(f"{name} names the element {element!r} more than once")
    return value


def define(connection: Connection, flow_id: str, wanted: Iterable[str]) -> None:
    """Make a flow index these elements and no others, from the end of the transaction on."""
    row = connection.execute(
        select(element_indexes.c.slots).where(element_indexes.c.flow_id == flow_id)
    ).first()
    slots: list[Any] = [None] * SLOTS if row is None else orjson.loads(row.slots)
    names = {path(element): element for element in wanted}
    for number, slot in enumerate(slots):
        if slot is not None:
            name = names.pop(path(slot["element"]), None)
            slots[number] = None if name is None else {**slot, "element": name}
    held = connection.execute(select(sizes.c.count).where(sizes.c.flow_id == flow_id)).scalar()
    for name in names.values():
        slots[slots.index(None)] = {"element": name, "ready": not held}
    if held:
        _put(connection, flow_id, slots, "")
    else:
        _finish(connection, flow_id, slots)


def forget(connection: Connection, flow_id: str) -> None:
    """Remove what is known of a flow's indexes; its drops are gone."""
    connection.execute(delete(element_indexes).where(element_indexes.c.flow_id == flow_id))


def backfill_batch(connection: Connection) -> bool:
    """Backfill some drops, and record how far. Returns False if there was nothing to do."""
    row = connection.execute(_PENDING).first()
    if row is None:
        return False
    flow_id, text, cursor = row
    indexes = parsed(text, True)
    dialect = connection.dialect.name
    blank = dict.fromkeys(f"new_{name}" for name in ("indexed", *columns_of(dialect)))
    changed: list[dict[str, Any]] = []
    size, is_last = 0, True
    for drop_id, created, elems in connection.execute(_AFTER, {"in_flow": flow_id, "after": cursor}):
        columns = indexes.columns(created, {ELEMENTS: orjson.loads(elems)}, dialect)
        new = {f"new_{name}": value for name, value in columns.items()}
        changed.append({**blank, **new, "in_flow": flow_id, "with_id": drop_id})
        size += len(elems)
        if len(changed) == BATCH or size > BATCH_BYTES:
            is_last = False
            break
    execute_many(connection, _backfilling(dialect), changed)
    slots = orjson.loads(text)
    if is_last:
        _finish(connection, flow_id, [slot and {**slot, "ready": True} for slot in slots])
    else:
        _put(connection, flow_id, slots, changed[-1]["with_id"])
    return True


def _finish(connection: Connection, flow_id: str, slots: list[Any]) -> None:
    if any(slots):
        _put(connection, flow_id, slots, None)
    else:
        forget(connection, flow_id)


def _put(connection: Connection, flow_id: str, slots: list[Any], cursor: str | None) -> None:
    text = orjson.dumps(slots).decode()
    values = {"slots": text, "cursor": cursor}
    connection.execute(
        upsert(connection.dialect.name, element_indexes)
        .values(flow_id=flow_id, **values)
        .on_conflict_do_update(index_elements=[element_indexes.c.flow_id], set_=values)
    )

"""Reads the arrivals of a flow from the database: where a subscription begins, and what came since.

An arrival that replaced an earlier drop with the same fhash has a number, too. It is left out if the drop
was there when the reader was last told of the flow: a follower of a flow gets each drop once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...wire.live import Start
from ..ids import created_of, is_id, now_ms
from ..problems import BadRequest
from ..resources.drops import passing, rows
from ..resources.drops.find import readable
from ..resources.drops.flow_cache import find_flow
from ..store.bulk import fetch
from .subscription import Item

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.engine import Connection

    from ...wire.live import Since
    from ..resources.access.rights import Caller
    from ..resources.drops.flow_cache import Flow

__all__ = ["PAGE", "REPLACED_WITHIN", "Beginning", "Page", "begin", "changed", "read"]

PAGE = 500
"""Most arrivals in a page."""

REPLACED_WITHIN = 10_000
"""How long before the reader was last told of a flow a drop may have been created that it was not told of, in
ms: a drop is dated before it is stored."""

_SIZE = "SELECT arrivals FROM sizes WHERE flow_id = ?"
_PAGE = f"{rows.SELECT_TEXT} WHERE flow_id = ? AND arrived > ? ORDER BY arrived LIMIT {PAGE}"
_PAGE = _PAGE.replace(" FROM drops", ", arrived FROM drops")
_ARRIVED = "SELECT arrived FROM drops WHERE flow_id = ? AND id = ?"
_FIRST_AFTER = "SELECT min(arrived) FROM drops WHERE flow_id = ? AND id > ?"
_FIRST_SINCE = "SELECT min(arrived) FROM drops WHERE flow_id = ? AND created >= ?"
_IN_CHUNKS = 500


class Beginning(NamedTuple):
    """Where a subscription begins.

    Attributes:
        flow: the flow.
        position: the number of the last arrival that it does not want.
        since: when the reader had got that far, in ms since the epoch; 0 if it never had.
        arrivals: the number of the flow's last arrival.
    """

    flow: Flow
    position: int
    since: int
    arrivals: int


class Page(NamedTuple):
    """Arrivals after a position.

    Attributes:
        flow: the flow.
        items: the drops, in the order of their arrival.
        position: up to which this is all there is.
        is_last: whether nothing has arrived after that.
    """

    flow: Flow
    items: list[Item]
    position: int
    is_last: bool


def begin(connection: Connection, caller: Caller, ref: str, since: Since) -> Beginning:
    """Where a subscription to the flow `ref`, an id or a path, begins.

    Raises:
        BadRequest, NotFound: there is no such flow, or the drop's id is none.
        Forbidden: the caller may not read its drops.
    """
    flow = readable(connection, caller, ref)
    arrivals = _arrivals(connection, flow.id)
    position, reached = arrivals, now_ms()
    if flow.capacity == 0 and since.start is not Start.CURSOR:
        pass  # it holds nothing
    elif since.start is Start.START:
        position, reached = 0, 0
    elif since.start is Start.CURSOR:
        # An emptied database may be behind a cursor that an earlier one has given.
        position, reached = min(since.value.number, arrivals), since.value.time
    elif since.start is Start.TIME:
        position, reached = _before(connection, _FIRST_SINCE, flow.id, since.value, arrivals), 0
    elif since.start is Start.DROP:
        position, reached = _after_drop(connection, flow.id, since.value, arrivals), 0
    return Beginning(flow, position, reached, arrivals)


def read(
    connection: Connection, flow_id: str, position: int, since: int, known: Collection[str] = ()
) -> Page:
    """The next page of what arrived after a position.

    Args:
        since: when the reader had got that far, in ms since the epoch; 0 if it never had.
        known: ids of drops with an fhash that it was told of lately.

    Raises:
        NotFound: the flow was deleted.
    """
    flow = find_flow(connection, flow_id)
    if flow.capacity == 0:
        return _passing(connection, flow, position)
    found = fetch(connection, _PAGE, (flow_id, position))
    items = []
    for *row, number in found:
        if not _was_there(row, since, known):
            items.append(Item(number, rows.to_document(row, flow.path), tuple(row)))
    if len(found) == PAGE:
        return Page(flow, items, found[-1][-1], False)
    return Page(flow, items, max(position, _arrivals(connection, flow_id)), True)


def _passing(connection: Connection, flow: Flow, position: int) -> Page:
    """The same of a flow that holds nothing: of what is kept for a minute."""
    found = passing.read(connection, flow.id, position, PAGE)
    items = [Item(number, rows.to_document(row, flow.path), row) for number, row in found]
    if len(found) == PAGE:
        return Page(flow, items, found[-1].number, False)
    return Page(flow, items, max(position, _arrivals(connection, flow.id)), True)


def changed(connection: Connection, positions: dict[str, int]) -> list[str]:
    """Those flows, of {id: position}, in which something has arrived after the position."""
    ids = list(positions)
    found: list[str] = []
    for start in range(0, len(ids), _IN_CHUNKS):
        chunk = ids[start : start + _IN_CHUNKS]
        text = f"SELECT flow_id, arrivals FROM sizes WHERE flow_id IN ({', '.join('?' * len(chunk))})"
        found += [name for name, arrivals in fetch(connection, text, chunk) if arrivals > positions[name]]
    return found


def _arrivals(connection: Connection, flow_id: str) -> int:
    found = fetch(connection, _SIZE, (flow_id,))
    return int(found[0][0]) if found else 0


def _before(connection: Connection, text: str, flow_id: str, value: Any, arrivals: int) -> int:
    """The position before the first arrival that a statement finds; after the last one if it finds none."""
    ((first,),) = fetch(connection, text, (flow_id, value))
    return arrivals if first is None else int(first) - 1


def _after_drop(connection: Connection, flow_id: str, drop: str, arrivals: int) -> int:
    if not is_id(drop, "d"):
        raise BadRequest(f"since: {drop!r} is no drop's id, which is a d and 24 hex digits")
    found = fetch(connection, _ARRIVED, (flow_id, drop))
    if found:
        return int(found[0][0])
    # It was deleted or evicted. Ids begin with the creation time, so they tell what was created after it.
    return _before(connection, _FIRST_AFTER, flow_id, drop, arrivals)


def _was_there(row: list[Any], since: int, known: Collection[str]) -> bool:
    """Whether an arrival only replaced a drop that the reader was told of."""
    _, drop_id, _, edited, _, fhash, *_ = row
    if edited is None or fhash is None:
        return False
    return drop_id in known or created_of(drop_id) < since - REPLACED_WITHIN

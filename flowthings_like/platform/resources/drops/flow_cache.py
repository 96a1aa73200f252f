"""The cache of flows and tracks, which the writer needs for every drop.

A flow is looked up by id or path; a track by the path of its source. Filters are cached compiled. The cache
is cleared when this process changes a flow or track, and when another process has changed the database, which
is checked once per transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import bindparam, literal_column, select

from ....filters.predicate import compile_predicate
from ....filters.text import parse
from ...ids import is_id
from ...problems import BadRequest, NotFound
from ...store.bulk import fetch_by
from ...store.schema import element_indexes, resources
from .element_indexes import Indexes, parsed
from .track_script import TrackScript, track_script

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Test = Callable[[Mapping[str, Any], int], bool]

DEFAULT_CAPACITY = 1000
"""How many drops a flow holds that does not say."""

_MOST = 50_000  # flows cached; beyond it all are dropped and read again as needed

_FLOWS = (
    select(
        resources.c.id,
        resources.c.path,
        resources.c.body,
        element_indexes.c.slots,
        element_indexes.c.cursor,
    )
    .select_from(resources)
    .outerjoin(element_indexes, element_indexes.c.flow_id == resources.c.id)
    .where(resources.c.kind == literal_column("'flow'"))
)
_BY_ID = _FLOWS.where(resources.c.id == bindparam("ref"))
_BY_PATH = _FLOWS.where(resources.c.path == bindparam("ref"))
_TRACKS = (
    select(resources.c.id, resources.c.body)
    .where(resources.c.kind == "track", resources.c.path == bindparam("source"))
    .order_by(resources.c.id)
)


@dataclass(frozen=True, slots=True)
class Flow:
    """What the drops need to know of a flow.

    Attributes:
        id, path: its names.
        capacity: most drops it holds; 0 keeps none but still tracks.
        filter: the text that its drops must match, "" for any.
        accepts: the filter compiled; None for any.
        indexes: of its elements; None without any.
    """

    id: str
    path: str
    capacity: int
    filter: str
    accepts: Test | None
    indexes: Indexes | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """What the drops need to know of an enabled track.

    Attributes:
        id: its id.
        destinations: paths of the flows it copies to.
        passes: its filter compiled; None lets everything pass.
        script: what is run on the drops that pass; None if they are copied.
    """

    id: str
    destinations: tuple[str, ...]
    passes: Test | None
    script: TrackScript | None = None


def find_flow(connection: Connection, ref: str) -> Flow:
    """The flow that `ref`, an id or a path, names, read from the database.

    Raises:
        BadRequest: `ref` is neither.
        NotFound: no such flow.
    """
    if isinstance(ref, str) and ref.startswith("/"):
        query = _BY_PATH
    elif is_id(ref, "f"):
        query = _BY_ID
    else:
        raise BadRequest(f"{ref!r} is neither a flow's id (f and 24 hex digits) nor its path (/account/name)")
    found = fetch_by(connection, query, {"ref": ref})
    if not found:
        raise NotFound(f"there is no flow {ref}")
    flow_id, path, text, slots, cursor = found[0]
    body = orjson.loads(text)
    text = body.get("filter") or ""
    capacity = body.get("capacity")
    return Flow(
        flow_id,
        path,
        DEFAULT_CAPACITY if capacity is None else int(capacity),
        text,
        compiled(text),
        None if slots is None else parsed(slots, cursor is not None),
    )


def find_tracks(connection: Connection, path: str) -> tuple[Track, ...]:
    """The enabled tracks whose source is the flow at `path`, oldest first, read from the database."""
    tracks = []
    for row in connection.execute(_TRACKS, {"source": path}):
        body = orjson.loads(row.body)
        if body.get("disabled"):
            continue
        named = body.get("destination") or ()
        destinations = (named,) if isinstance(named, str) else tuple(named)
        script = track_script(row.id, path, body, destinations)
        tracks.append(Track(row.id, destinations, compiled(body.get("filter") or ""), script))
    return tuple(tracks)


@lru_cache(maxsize=4096)
def compiled(text: str) -> Test | None:
    """A filter's text as a test of plain documents at a time in ms; None where everything matches.

    Raises:
        FilterSyntaxError: the text does not parse.
    """
    node = parse(text)
    return None if node is None else compile_predicate(node)


class FlowCache:
    """The flows and tracks cached for one writer. Every method is called within its transaction."""

    def __init__(self) -> None:
        self._flows: dict[str, Flow] = {}
        self._tracks: dict[str, tuple[Track, ...]] = {}
        self._seen: tuple[Connection, int | None] | None = None

    def clear(self) -> None:
        """Drop everything: it is read again when it is needed."""
        self._flows.clear()
        self._tracks.clear()

    def refresh(self, connection: Connection, stamp: int | None) -> None:
        """Drop everything if another process, or an earlier connection, may have changed something."""
        seen = self._seen
        if stamp is None or seen is None or seen[0] is not connection or seen[1] != stamp:
            self.clear()
            self._seen = (connection, stamp)
        elif len(self._flows) > _MOST or len(self._tracks) > _MOST:
            self.clear()

    def flow(self, connection: Connection, ref: str) -> Flow:
        """The flow that `ref`, an id or a path, names. Raises BadRequest, NotFound."""
        found = self._flows.get(ref)
        if found is None:
            found = find_flow(connection, ref)
            self._flows[found.id] = self._flows[found.path] = found
        return found

    def tracks(self, connection: Connection, path: str) -> tuple[Track, ...]:
        """The enabled tracks whose source is the flow at `path`."""
        found = self._tracks.get(path)
        if found is None:
            found = self._tracks[path] = find_tracks(connection, path)
        return found

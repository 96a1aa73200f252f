"""Ingest: everything that one create writes, within the caller's transaction.

A new drop is checked against its flow's filter. It replaces the drop with the same fhash, or is added. It is
copied along the flow's tracks. If a flow is full, the drop that arrived first is evicted, whatever the
creation
dates say: a drop stays until as many have arrived after it as the flow holds. All of it is collected first
and written at the end, with a few statements for any number of drops.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, update

from ...ids import new_id
from ...problems import BadRequest
from ...store.bulk import execute_many
from ...store.schema import drops
from ..statistics.counters import DROP_ADDED, DROPS_CREATED, Counts, record
from . import flow_sizes, passing, rows
from .announcements import Announcement
from .arrival import Arrival
from .script_runs import ScriptsNeeded
from .tracking import Tracker

if TYPE_CHECKING:
    from sqlalchemy import Update
    from sqlalchemy.engine import Connection

    from .flow_cache import Flow, FlowCache
    from .script_runs import ScriptRuns
    from .validation import ValidatedDrop

_INSERT = insert(drops)


@lru_cache(maxsize=256)
def _replacing(parameters: tuple[str, ...]) -> Update:
    """The statement that sets the columns whose parameters are called new_NAME."""
    names = [name.removeprefix("new_") for name in parameters if name.startswith("new_")]
    return (
        update(drops)
        .where(drops.c.flow_id == bindparam("in_flow"), drops.c.id == bindparam("with_id"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )


class Ingest:
    """One create of any number of drops.

    Args:
        connection: within a transaction.
        cache: for flows and tracks.
        creator: id of the identity that creates.
        now: ms since the epoch.
        scripts: the results of the scripts that this create has met before.
        is_followed: whether somebody follows flows: then those that hold nothing number their arrivals, too.

    Attributes:
        evicted: how many drops the flow evicted.
        evicted_created: how many of these came with this very create.
        announcements: what arrived where, to be published once it is on disk.
    """

    def __init__(
        self,
        connection: Connection,
        cache: FlowCache,
        creator: str,
        now: int,
        scripts: ScriptRuns,
        is_followed: bool = False,
    ) -> None:
        self._connection = connection
        self._cache = cache
        self._creator = creator
        self._now = now
        self._scripts = scripts
        self._counts: Counts = Counter()
        self.evicted = self.evicted_created = 0
        self.announcements: list[Announcement] = []
        self._is_followed = is_followed

    def create(self, flow: Flow, new: list[ValidatedDrop]) -> list[Arrival]:
        """Write `new` and all that follows from them.

        Returns:
            for each drop the drop that it became, in order; new of the same fhash share one.

        Raises:
            BadRequest: a drop does not match the flow's filter, or tracks lead too far.
            ScriptsNeeded: scripts of tracks have to run first. Nothing was written.
        """
        added: list[Arrival] = []
        replaced: dict[str, Arrival] = {}
        results: list[Arrival] = []
        by_hash = self._existing(flow, new)
        fresh: set[str] = set()
        first: list[Arrival] = []
        is_tracked = bool(self._cache.tracks(self._connection, flow.path))
        for index, drop in enumerate(new):
            arrival = self._arrival(flow, drop)
            self._check(flow, arrival, index if len(new) > 1 else None)
            known = by_hash.get(drop.fhash) if drop.fhash is not None else None
            if known is not None:
                self._replace(known, arrival)
                if drop.fhash not in fresh:
                    replaced[known.row["id"]] = known
                results.append(known)
                continue
            added.append(arrival)
            if is_tracked:
                first.append(Arrival(arrival.document, arrival.row))  # before a replacement
            if drop.fhash is not None:
                by_hash[drop.fhash] = arrival
                fresh.add(drop.fhash)
            results.append(arrival)
        self._write(flow, results, added, first, list(replaced.values()))
        return results

    def _existing(self, flow: Flow, new: list[ValidatedDrop]) -> dict[str, Arrival]:
        hashes = list({drop.fhash for drop in new if drop.fhash is not None})
        if not hashes:
            return {}
        found = rows.find_by_fhash(self._connection, flow.id, hashes)
        return {
            fhash: Arrival(rows.to_document(row, flow.path), rows.from_row(row))
            for fhash, row in found.items()
        }

    def _arrival(self, flow: Flow, drop: ValidatedDrop) -> Arrival:
        created = self._now if drop.created is None else drop.created
        drop_id = drop.id
        if drop_id is None:  # kept, in case that the create is made again: scripts see it
            drop_id = drop.id = new_id("d", created)
        document: dict[str, Any] = {
            "id": drop_id,
            "flowId": flow.id,
            "path": flow.path,
            "creationDate": created,
            "creatorId": self._creator,
            "elems": drop.elems,
            "version": 0,
        }
        if drop.fhash is not None:
            document["fhash"] = drop.fhash
        if drop.location is not None:
            document["location"] = drop.location
        row = {
            "flow_id": flow.id,
            "id": drop_id,
            "created": created,
            "edited": None,
            "creator": self._creator,
            "fhash": drop.fhash,
            "elems": drop.elems_text,
            "types": drop.types_text,
            "location": drop.location_text,
            "parent": None,
            "arrived": 0,  # `_number` says which
        }
        return Arrival(document, row)

    def _check(self, flow: Flow, arrival: Arrival, index: int | None) -> None:
        if flow.accepts is not None and not flow.accepts(arrival.filtered(), self._now):
            raise refused(flow, index)

    def _replace(self, known: Arrival, by: Arrival) -> None:
        """Replace a drop of the same fhash: it keeps its id and age, and its location if none is given."""
        # New maps: if the drop is of this create, tracks still have to see the old ones.
        known.document = {**known.document, "elems": by.document["elems"], "lastEditDate": self._now}
        changed = {"elems": by.row["elems"], "types": by.row["types"], "edited": self._now}
        if "location" in by.document:
            known.document["location"] = by.document["location"]
            changed["location"] = by.row["location"]
        known.row = {**known.row, **changed}

    def _write(
        self,
        flow: Flow,
        arrivals: list[Arrival],
        added: list[Arrival],
        first: list[Arrival],
        replaced: list[Arrival],
    ) -> None:
        tracker = Tracker(self._connection, self._cache, self._counts, self._now, self._scripts)
        if first:
            tracker.follow(flow, first)
            if self._scripts.needed:
                raise ScriptsNeeded()
        size = self._number(flow, arrivals, added)
        if replaced:
            changes = [self._replacement(flow, known) for known in replaced]
            execute_many(self._connection, _replacing(tuple(changes[0])), changes)
        if not added:
            return
        self._counts[DROP_ADDED.name, flow.id] += len(added)
        self._counts[DROPS_CREATED.name, self._creator] += len(added)
        self.evicted = self._store(flow, added, size)
        if self.evicted:
            # Drops are evicted in the order of arrival: of the new ones only those that exceed the capacity.
            self.evicted_created = max(0, len(added) + len(replaced) - flow.capacity)
        for target, copies in tracker.arrived:
            self._store(target, copies, self._number(target, copies, copies))
        record(self._connection, self._counts, self._now)

    def _number(self, flow: Flow, arrivals: list[Arrival], added: list[Arrival]) -> int:
        """Number the arrivals, of which `added` are new. Returns how many drops the flow then holds."""
        if flow.capacity == 0 and not self._is_followed:
            self.announcements.append(Announcement(flow, 0, 0, added))
            return 0
        held = len(added) if flow.capacity else 0
        size = flow_sizes.resize(self._connection, flow.id, held, len(arrivals))
        self.announcements.append(Announcement(flow, size.arrivals - len(arrivals), size.arrivals, added))
        for number, arrival in enumerate(arrivals, size.arrivals - len(arrivals) + 1):
            arrival.row["arrived"] = number
        if flow.capacity == 0:
            passing.keep(self._connection, added, self._now)
        return size.held

    def _store(self, flow: Flow, added: list[Arrival], size: int) -> int:
        """Insert drops that were counted already, evict what exceeds the capacity, return how many."""
        if flow.capacity == 0:
            return 0
        indexes = flow.indexes
        if indexes is None:
            rows_ = [arrival.row for arrival in added]
        else:
            dialect = self._connection.dialect.name
            rows_ = [
                {**one.row, **indexes.columns(one.row["created"], one.document, dialect)} for one in added
            ]
        execute_many(self._connection, _INSERT, rows_)
        return flow_sizes.fit(self._connection, flow.id, size, flow.capacity)

    def _replacement(self, flow: Flow, known: Arrival) -> dict[str, Any]:
        """The parameters of the statement that replaces a drop's row."""
        row = known.row
        changed = {name: row[name] for name in ("elems", "types", "location", "edited", "arrived")}
        if flow.indexes is not None:
            dialect = self._connection.dialect.name
            changed.update(flow.indexes.columns(row["created"], known.document, dialect))
        found = {f"new_{name}": value for name, value in changed.items()}
        return {"in_flow": row["flow_id"], "with_id": row["id"], **found}


def refused(flow: Flow, index: int | None = None) -> BadRequest:
    """The error for a drop that does not match its flow's filter; `index` if it is one of several."""
    which = "the drop" if index is None else f"drop {index}"
    return BadRequest(f"{which} does not match the filter of {flow.path}: {flow.filter}")

"""Makes one insert of many small ones, which lazy calls have issued together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import FlowThingsError
from ...wire.btrdb.errors import BTRDBValueError
from ...wire.btrdb.points import RawColumns

__all__ = ["Entry", "insert_together"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One small insert.

    Attributes:
        stream: the Stream.
        points: the points.
        policy: the number of the merge policy.
    """

    stream: Any
    points: RawColumns
    policy: int


def insert_together(entries: list[Entry]) -> list[Any]:
    """Insert the points of all entries, each stream's in their order, different streams at once.

    Returns:
        For each entry the version of its stream, or the exception with which its insert failed.
    """
    results: list[Any] = [None] * len(entries)
    places: dict[Any, list[int]] = {}
    for place, entry in enumerate(entries):
        places.setdefault(entry.stream.uuid, []).append(place)

    def insert(of_stream: list[int]) -> None:
        for group in _groups(entries, of_stream):
            outcome = _insert([entries[place] for place in group])
            if len(group) > 1 and isinstance(outcome, BTRDBValueError) and not outcome.inserted:
                # One of them is not valid, and nothing was stored: each of the others is made by itself.
                for place in group:
                    results[place] = _insert([entries[place]])
            else:
                for place in group:
                    results[place] = outcome

    entries[0].stream.btrdb._map(insert, places.values())
    return results


def _insert(entries: list[Entry]) -> Any:
    """Make one insert of entries of one stream. Returns the version, or the exception."""
    try:
        return entries[0].stream._insert(_joined(entries), entries[0].policy)
    except FlowThingsError as error:
        return error


def _groups(entries: list[Entry], places: list[int]) -> list[list[int]]:
    """Neighbours with the same policy."""
    groups: list[list[int]] = []
    for place in places:
        if groups and entries[groups[-1][0]].policy == entries[place].policy:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def _joined(entries: list[Entry]) -> RawColumns:
    if len(entries) == 1:
        return entries[0].points
    return RawColumns(
        np.concatenate([entry.points.times for entry in entries]),
        np.concatenate([entry.points.values for entry in entries]),
    )

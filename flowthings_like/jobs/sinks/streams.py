"""StreamsSink: columns of numbers become points of streams."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import FlowThingsError, InvalidInput
from ...services.streams.needed import needed
from ...services.streams.times import MAXIMUM_TIME, MINIMUM_TIME
from ..templates import Template
from ..times import check_unit, nanoseconds
from .base import Delivery, Outcome, Run, Sink, refuse_all, unknown_column

if TYPE_CHECKING:
    from ...services.streams.client import Client
    from ...services.streams.stream import Stream
    from ..table import Refuse, Table

__all__ = ["StreamsSink"]

_NAMESPACE = uuid.UUID("5b0c3b0e-3f0f-5d0b-9a43-7a1c0f3a9d51")
"""From which the ids of created streams are derived: two workers that create one stream agree."""

MERGES = ("equal", "replace", "retain", "never")


class StreamsSink(Sink):
    """Inserts points: each column of values is a stream, whose name is that of the column.

    A row without a time is refused. A cell without a value is no point.

    Args:
        client: `api.stream`, or a client of `flowthings_like.streams`.
        collection: the collection of the streams, with columns in braces: "weather/{origin}".
        time: the column with the times.
        values: the columns with values: names, or a dict of a column to the name of its stream, which may
            have columns in braces, too: {"value": "{sensor}"}.
        time_unit: of times that are numbers: "s", "ms", "us" or "ns".
        create: whether streams are created that are missing.
        merge: what becomes of a point at a time that has one: see `Stream.insert`. With "equal" (default) and
            the next two a load may go on: what was stored is not stored again.

    Raises:
        InvalidInput: an argument cannot be used.
    """

    noun = "points"
    batch = 50_000

    def __init__(
        self,
        client: Client,
        collection: str,
        *,
        time: str,
        values: Sequence[str] | Mapping[str, str],
        time_unit: str = "ns",
        create: bool = False,
        merge: str = "equal",
    ) -> None:
        with needed():
            from .point_columns import PointColumns
        self._point_columns = PointColumns()
        self._client = client
        self._collection = Template(collection, "the collection")
        self._time = time
        if isinstance(values, str) or not values:
            raise InvalidInput(f"values are {values!r}; give the names of the columns with values")
        names = values if isinstance(values, Mapping) else {name: _literal(name) for name in values}
        self._values = {column: Template(name, "the name") for column, name in names.items()}
        self._unit = check_unit(time_unit)
        self._create = create
        if merge not in MERGES:
            raise InvalidInput(f"merge is {merge!r}; give one of {', '.join(MERGES)}")
        self._merge = merge
        self._streams: dict[str, Stream] = {}
        self._more = {"time": time, "time_unit": time_unit, "values": dict(names), "merge": merge}

    def settings(self) -> dict[str, Any]:
        return {"streams": self._collection.text, **self._more}

    def check(self, names: Sequence[str], run: Run) -> None:
        self._collection.check(names)
        for name in (self._time, *self._values):
            if name not in names:
                raise unknown_column(name, names, "points")
        for template in self._values.values():
            template.check(names)
        if run.is_resumable and self._merge == "never":
            raise InvalidInput(
                'with merge "never" a load cannot go on: points that are sent again are stored twice; '
                'give "equal", "replace" or "retain"'
            )

    def prepare(self, table: Table, run: Run, refuse: Refuse) -> list[Delivery]:
        reasons: dict[int, str] = {}
        times = self._times(table, run.time_units.get(self._time, self._unit), reasons)
        make = self._point_columns
        columns = {name: make.values(table.column(name), reasons, name) for name in self._values}
        collections = self._collection.groups(table, reasons)
        by_column = {name: template.groups(table, reasons) for name, template in self._values.items()}
        refuse_all(table, reasons, refuse)
        deliveries = []
        for name, streams in by_column.items():
            for stream, their_places in streams.items():
                for collection, places in collections.items():
                    common = _common(places, their_places, len(table))
                    points = make.points(times, columns[name], common, reasons)
                    if points is not None:
                        target = self._stream(collection, stream)
                        deliveries.append(Delivery(target, points, [table.numbers[common[0]]]))
        return deliveries

    def _times(self, table: Table, unit: int, reasons: dict[int, str]) -> Any:
        column = table.column(self._time)
        found = self._point_columns.times_of_arrow(column, unit)
        if found is None:
            listed = nanoseconds(column, unit, reasons, self._time)
            found = self._point_columns.times_of_list(listed)
        for place in self._point_columns.outside(found, MINIMUM_TIME, MAXIMUM_TIME):
            reasons.setdefault(place, f"column {self._time!r}: the time is not between 1933 and 2079")
        return found

    def deliver(self, delivery: Delivery, run: Run) -> Outcome:
        run.wait()
        delivery.target.insert(delivery.items, merge=self._merge)
        return Outcome(len(delivery.items[0]), [], 1)

    def _stream(self, collection: str, name: str) -> Stream:
        place = f"{collection}/{name}"
        found = self._streams.get(place)
        if found is None:
            found = self._streams[place] = self._find(collection, name)
        return found

    def _find(self, collection: str, name: str) -> Stream:
        found = self._search(collection, name)
        if not found and self._create:
            id = uuid.uuid5(_NAMESPACE, f"{collection}/{name}")
            try:
                return self._client.create(id, collection, tags={"name": name, "unit": ""})
            except FlowThingsError:
                found = self._search(collection, name)  # another load has created it meanwhile
                if not found:
                    raise
        if not found:
            raise InvalidInput(
                f"there is no stream {name!r} in the collection {collection!r}; create it, or let the load "
                "create streams"
            )
        if len(found) > 1:
            raise InvalidInput(f"there are {len(found)} streams {name!r} in the collection {collection!r}")
        return found[0]

    def _search(self, collection: str, name: str) -> list[Stream]:
        return list(
            self._client.streams_in_collection(collection, is_collection_prefix=False, tags={"name": name})
        )


def _literal(name: str) -> str:
    return name.replace("{", "{{").replace("}", "}}")


def _common(places: Sequence[int], others: Sequence[int], size: int) -> Sequence[int]:
    """The places that are in both."""
    if len(others) == size:
        return places
    if len(places) == size:
        return others
    there = set(others)
    return [place for place in places if place in there]

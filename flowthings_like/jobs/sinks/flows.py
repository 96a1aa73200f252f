"""FlowsSink: rows become drops."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from ...errors import FlowThingsBadRequest, FlowThingsTooLarge, InvalidInput
from ...filters.build import mem
from ..json_values import json_columns
from ..table import Refuse, Table
from ..templates import Template
from ..times import check_unit, nanoseconds
from .base import Delivery, Outcome, Run, Sink, place_of, refuse_all, unknown_column
from .halving import send_halving

if TYPE_CHECKING:
    from ...api import API

__all__ = ["FlowsSink"]

ID, TIME, PREFIX = "id", "creationDate", "elems."
MOST_AT_ONCE = 10_000
"""Drops of one call, at most. That is the platform's limit."""


class FlowsSink(Sink):
    """Creates a drop for each row. Each column is an element of it, by the rules of `flowthings-like put`:
    `creationDate` is the date of the drop, `id` does not count, and `elems.id` is an element called id. A row
    with an object `elems` is a whole drop.

    Drops are stored once: with a key, a drop takes the place of the one with the same key (the key is the
    drop's fhash). Without, a load with a checkpoint names each drop by the load and the row.

    Args:
        api: whose flows they are.
        path: the path of the flow, with columns in braces: "/acme/weather/{origin}".
        time: the column with the creation date; unless given `creationDate` if there is one.
        time_unit: of times that are numbers: "s", "ms", "us" or "ns".
        key: the column, or the columns, that name a row.
        create: whether flows are created that are missing.
        capacity: how many drops a created flow keeps.

    Raises:
        InvalidInput: an argument cannot be used.
    """

    noun = "drops"

    def __init__(
        self,
        api: API,
        path: str,
        *,
        time: str | None = None,
        time_unit: str = "ms",
        key: str | Sequence[str] | None = None,
        create: bool = False,
        capacity: int | None = None,
    ) -> None:
        self._api = api
        self.platform = place_of(api)
        self._path = Template(path, "the path")
        self._time = time
        self._unit = check_unit(time_unit)
        self._key = [key] if isinstance(key, str) else list(key or ())
        if create and capacity is None:
            raise InvalidInput(
                "give the capacity of created flows: a flow keeps so many drops, and evicts those that "
                "arrived first"
            )
        self._capacity = capacity if create else None
        self._found: set[str] = set()
        self._more = {"time": time, "time_unit": time_unit, "key": self._key}

    def settings(self) -> dict[str, Any]:
        return {"flows": self._path.text, **self._more}

    def check(self, names: Sequence[str], run: Run) -> None:
        is_whole = "elems" in names  # then its columns are inside
        if not is_whole:
            self._path.check(names)
        if "" in names:
            raise InvalidInput("a column has no name; name it, or let a function leave it out")
        for name in [*self._key, *([self._time] if self._time else [])]:
            if name not in names and not is_whole:
                raise unknown_column(name, names, "a drop")
        if not self._path.names:
            self._ensure(self._path.text)

    def prepare(self, table: Table, run: Run, refuse: Refuse) -> list[Delivery]:
        reasons: dict[int, str] = {}
        if "elems" in table.columns:
            table = _flattened(table)
        table = json_columns(table, reasons)
        groups = self._path.groups(table, reasons)
        models = self._models(table, run, reasons)
        self._ensure_all(groups, reasons)
        refuse_all(table, reasons, refuse)
        deliveries = []
        for path, places in groups.items():
            wanted = [place for place in places if place not in reasons] if reasons else places
            for first in range(0, len(wanted), MOST_AT_ONCE):
                some = wanted[first : first + MOST_AT_ONCE]
                items = [models[place] for place in some]
                deliveries.append(Delivery(path, items, [table.numbers[place] for place in some]))
        return deliveries

    def _models(self, table: Table, run: Run, reasons: dict[int, str]) -> list[dict[str, Any]]:
        time = self._time or (TIME if TIME in table.columns else None)
        left_out = {ID, TIME, _LOCATION, *([time] if time else [])}
        elements = {
            name.removeprefix(PREFIX): column
            for name, column in table.columns.items()
            if name not in left_out
        }
        models: list[dict[str, Any]] = [{"elems": elems} for elems in Table(elements, table.numbers).dicts()]
        if time:
            cells = table.values(time)
            there = [place for place, cell in enumerate(cells) if cell is not None]
            wrong: dict[int, str] = {}
            unit = run.time_units.get(time, self._unit)
            found = nanoseconds([cells[place] for place in there], unit, wrong, time)
            reasons |= {there[place]: reason for place, reason in wrong.items()}
            for place, moment in zip(there, found, strict=True):
                models[place][TIME] = moment // 1_000_000
        if _LOCATION in table.columns:
            for model, location in zip(models, table.values(_LOCATION), strict=True):
                if location is not None:
                    model["location"] = location
        self._name(table, models, run, reasons)
        return models

    def _name(self, table: Table, models: list[dict[str, Any]], run: Run, reasons: dict[int, str]) -> None:
        """Give the drops their fhash."""
        keys = self._key or ([run.source_key] if run.source_key else [])
        if keys:
            rows = zip(models, zip(*map(table.values, keys), strict=True), strict=True)
            for place, (model, values) in enumerate(rows):
                model["fhash"] = _fhash(values)
                if all(value is None for value in values):  # it would take the place of all others without
                    reasons.setdefault(place, f"the key has no value: {', '.join(keys)}")
        elif run.is_resumable:
            for model, number in zip(models, table.numbers, strict=True):
                model["fhash"] = f"{run.id}:{number}"

    def deliver(self, delivery: Delivery, run: Run) -> Outcome:
        send = partial(self._send, delivery.target)
        refusals = (FlowThingsBadRequest, FlowThingsTooLarge, InvalidInput)  # the last: it is no JSON
        return send_halving(send, delivery.items, delivery.numbers, refusals, run)

    def _send(self, path: str, models: Sequence[Any], numbers: Sequence[int]) -> int:
        self._api.drop(path).create_many(models)
        return len(models)

    def _ensure_all(self, groups: dict[str, Sequence[int]], reasons: dict[int, str]) -> None:
        """Create the flows that are missing. The rows of a path that no flow can have are refused."""
        for path, places in groups.items():
            if all(place in reasons for place in places):
                continue
            try:
                self._ensure(path)
            except FlowThingsBadRequest as error:
                if not self._path.names:
                    raise
                for place in places:
                    reasons.setdefault(place, f"the flow {path} cannot be created: {error}")

    def _ensure(self, path: str) -> None:
        """Create a flow if it is missing."""
        if path in self._found:
            return
        if not self._api.flow.find_many(mem.path == path, limit=1):
            if self._capacity is None:
                raise InvalidInput(f"there is no flow {path}; create it, or let the load create flows")
            try:
                self._api.flow.create({"path": path, "capacity": self._capacity})
            except FlowThingsBadRequest:
                if not self._api.flow.find_many(mem.path == path, limit=1):  # by another load
                    raise
        self._found.add(path)


_LOCATION = "\0location"  # a column of whole drops, which no source can have


def _flattened(table: Table) -> Table:
    """Whole drops as rows with a column for each element."""
    rows = []
    for row in table.dicts():
        elems = row.get("elems")
        if type(elems) is not dict:
            rows.append(row)
            continue
        flat = {PREFIX + name if name in (ID, TIME) else name: value for name, value in elems.items()}
        flat |= {name: row[name] for name in (ID, TIME) if name in row}
        if "location" in row:
            flat[_LOCATION] = row["location"]
        rows.append(flat)
    return Table.of_dicts(rows, table.numbers)


def _fhash(values: tuple[Any, ...]) -> str:
    if len(values) == 1 and type(values[0]) is str:
        return values[0]
    return orjson.dumps(values, default=str).decode()

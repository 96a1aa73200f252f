"""Aggregates that are computed here, from the drops as they come, for a database that cannot compute them.

PostgreSQL cannot call Python functions, so it cannot test every filter or run every measure. Where it cannot
(see `postgresql`), it sends the drops that may match, in batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ....filters.nodes import Member
from ....filters.predicate import compile_predicate
from ....filters.values import MISSING, finder, is_number
from ...ids import now_ms
from ...store.schema import drops
from ..drops import query_plan, rows
from ..query.query import Query
from ..query.search import stream
from .date_parts import date_part
from .measures import CountMeasure, ListMeasure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy.engine import Connection

    from ..drops.flow_cache import Flow
    from .measures import Accumulator
    from .plan import Group, Output, Plan

__all__ = ["Key", "computed"]

Key = tuple[Any, ...]
"""The parts of a group's id: a number as it is, anything else as JSON text; None for nothing."""

Reader = "Callable[[Mapping[str, Any]], Any]"


def computed(connection: Connection, plan: Plan, flow: Flow) -> dict[Key, dict[str, Any]]:
    """All outputs of a plan over the drops of a flow, by group."""
    now = now_ms()
    readers = _Readers(plan, now)
    keys = [readers.key(group) for group in plan.groups]
    outputs = [(output, readers.of(output)) for output in plan.outputs]
    groups: dict[Key, list[_Result]] = {}
    for document in _documents(connection, plan, flow, now):
        key = tuple(read(document) for read in keys)
        results = groups.get(key)
        if results is None:
            results = groups[key] = [_Result.of(output) for output, _ in outputs]
        for result, (_, read) in zip(results, outputs, strict=True):
            result.step(read(document))
    return {
        key: {output.name: result.finish() for result, (output, _) in zip(results, outputs, strict=True)}
        for key, results in groups.items()
    }


def _documents(connection: Connection, plan: Plan, flow: Flow, now: int) -> Iterator[dict[str, Any]]:
    """The drops that a plan's filter leaves, the oldest first."""
    search = query_plan.search_all(connection, flow, Query(filter=plan.filter, now=now))
    test = None if search.rest is None else compile_predicate(search.rest)
    for row in stream(connection, search.statement.order_by(None).order_by(drops.c.id), rows.of(flow)):
        document = rows.to_filtered(row, flow.path)
        if test is None or test(document, now):
            yield document


class _Readers:
    """What reads a document for the groups and outputs of a plan."""

    def __init__(self, plan: Plan, now: int) -> None:
        self._now = now
        self._rules = {name: compile_predicate(node) for name, node in plan.rules.items()}

    def key(self, group: Group) -> Callable[[Mapping[str, Any]], Any]:
        if group.unit:  # a date's member is never a rule
            unit, find = group.unit, finder(Member(group.member))
            return lambda document: date_part(unit, find(document))
        find = self._member(group.member)

        def key(document: Mapping[str, Any]) -> Any:
            value = find(document)
            if value is MISSING or value is None or is_number(value):
                return None if value is MISSING else value
            return orjson.dumps(value).decode()

        return key

    def of(self, output: Output) -> Callable[[Mapping[str, Any]], Any]:
        if isinstance(output.measure, CountMeasure):
            return lambda document: 1
        find = self._member(output.member)
        if isinstance(output.measure, ListMeasure):
            return find

        def number(document: Mapping[str, Any]) -> Any:
            value = find(document)
            return value if is_number(value) else None

        return number

    def _member(self, member: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Any]:
        rule = self._rules.get(member[0]) if len(member) == 1 else None
        if rule is None:
            return finder(Member(member))
        now = self._now
        return lambda document: int(rule(document, now))


class _Result:
    """What an output has come to so far."""

    def step(self, value: Any) -> None:
        """Take one drop's value."""
        raise NotImplementedError

    def finish(self) -> Any:
        """The output."""
        raise NotImplementedError

    @staticmethod
    def of(output: Output) -> _Result:
        measure = output.measure
        if isinstance(measure, CountMeasure):
            return _Count()
        if isinstance(measure, ListMeasure):
            return _List(measure)
        return _Number(measure.accumulator())


class _Count(_Result):
    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def step(self, value: Any) -> None:
        self.count += 1

    def finish(self) -> Any:
        return self.count


class _List(_Result):
    __slots__ = ("measure", "values")

    def __init__(self, measure: ListMeasure) -> None:
        self.measure = measure
        self.values: list[Any] = []

    def step(self, value: Any) -> None:
        if value is not MISSING:
            self.values.append(value)

    def finish(self) -> Any:
        return self.measure.finish(self.values)


class _Number(_Result):
    __slots__ = ("accumulator",)

    def __init__(self, accumulator: Accumulator) -> None:
        self.accumulator = accumulator

    def step(self, value: Any) -> None:
        if value is not None:
            self.accumulator.step(value)

    def finish(self) -> Any:
        return self.accumulator.finalize()

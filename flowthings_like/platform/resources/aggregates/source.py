"""What an aggregate reads: the documents of a flow's drops, or the index of all its indexed elements.

The index is read if it holds everything that the outputs ask for: it is a fraction of the documents' size
and needs no parsing. These are SQLite's sources: see `streamed` for other databases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, bindparam, case, cast, func, null, select

from ....filters import index_columns
from ...ids import now_ms
from ...store import json_columns
from ...store.schema import SLOT_NAMES, drops
from ..drops import query_plan, rows
from ..query.query import translated
from .calendar_spans import Span, spans
from .measures import ListMeasure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection, Dialect
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import Select

    from ..drops.flow_cache import Flow
    from .plan import Group, Plan

_FORMATS = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M", "second": "%S"}
_ISO_DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"
_AGE = ("creationDate",)
_IN_INDEX = frozenset({"creationDate", "id", "flowId", "path"})
_NUMBERS = ("integer", "real")


class Source:
    """The drops that a plan's filter leaves, and the columns that its names mean.

    Args:
        indexed: the columns that filters may read in place of the documents.
        hint: the index to use; "" leaves it to the database.
    """

    def __init__(
        self, plan: Plan, flow: Flow, dialect: Dialect, indexed: index_columns.Columns | None, hint: str = ""
    ) -> None:
        self.parameters = rows.of(flow)
        self._plan = plan
        self._flow = flow
        self._columns = rows.COLUMNS
        self._hint = hint
        now = now_ms()

        def matches(node: Any) -> ColumnElement[bool]:
            return translated(
                node,
                columns=self._columns,
                document=drops.c.elems,
                dialect=dialect,
                now=now,
                indexed=indexed,
            ).condition

        self._rules = {name: case((matches(node), 1), else_=0) for name, node in plan.rules.items()}
        self._where = None if plan.filter is None else matches(plan.filter)

    @classmethod
    def of(cls, connection: Connection, plan: Plan, flow: Flow) -> Source:
        """The cheapest source that has all that a plan needs."""
        indexed = query_plan.columns(connection, flow)
        if indexed is None or not _can_answer(connection, plan, flow, indexed):
            return cls.of_documents(connection, plan, flow)
        found = query_plan.selective(connection, flow, plan.filter, now_ms())
        source = _IndexSource(plan, flow, connection.dialect, indexed, found or query_plan.ALL_INDEXED)
        source.find_numeric(connection)
        return source

    @classmethod
    def of_documents(cls, connection: Connection, plan: Plan, flow: Flow) -> Source:
        """The source of all members, which reads the documents."""
        return Source(plan, flow, connection.dialect, query_plan.columns(connection, flow))

    def spans(self, connection: Connection) -> list[Span] | None:
        """The groups as spans of time, if each is best read by itself; None otherwise."""
        return None

    def select(self, *wanted: ColumnElement[Any], in_span: bool = False) -> Select[Any]:
        """The drops that the filter leaves; with `in_span`, those between two parameters."""
        query = select(*wanted).where(rows.IN_FLOW)
        if self._hint:
            query = query.with_hint(drops, f"INDEXED BY {self._hint}", "sqlite")
        return query if self._where is None else query.where(self._where)

    def key(self, group: Group) -> ColumnElement[Any]:
        """A group's key: a number as it is, anything else as JSON text, so that "1" is not 1; or null."""
        if group.unit:
            return self._date(group.unit, group.member)
        if (rule := self._rule(group.member)) is not None:
            return rule
        found = self.number(group.member)
        return case((found.is_not(None), found), else_=func.nullif(self._text(group.member), "null"))

    def number(self, member: tuple[str, ...]) -> ColumnElement[Any]:
        rule = self._rule(member)
        return self._number(member) if rule is None else rule

    def json(self, member: tuple[str, ...]) -> ColumnElement[Any]:
        rule = self._rule(member)
        return self._text(member) if rule is None else func.json_quote(rule)

    def _rule(self, member: tuple[str, ...]) -> ColumnElement[Any] | None:
        return self._rules.get(member[0]) if len(member) == 1 else None

    def _date(self, unit: str, member: tuple[str, ...]) -> ColumnElement[Any]:
        form = _FORMATS[unit]
        ms = self._number(member)  # a date's member is never a rule
        since_epoch = func.strftime(form, ms / 1000.0, "unixepoch")
        if member == _AGE:
            return cast(since_epoch, Integer)
        given = self._value(member)
        written = case((given.op("GLOB")(_ISO_DATE), func.strftime(form, given)), else_=null())
        return cast(case((ms.is_not(None), since_epoch), else_=written), Integer)

    def _number(self, member: tuple[str, ...]) -> ColumnElement[Any]:
        return json_columns.number(member, self._columns, drops.c.elems)

    def _value(self, member: tuple[str, ...]) -> ColumnElement[Any]:
        return json_columns.value(member, self._columns, drops.c.elems)

    def _text(self, member: tuple[str, ...]) -> ColumnElement[Any]:
        return json_columns.text(member, self._columns, drops.c.elems)


class _IndexSource(Source):
    """A source that reads the index of all indexed elements. It has no lists and maps."""

    def __init__(
        self, plan: Plan, flow: Flow, dialect: Dialect, indexed: index_columns.Columns, hint: str
    ) -> None:
        super().__init__(plan, flow, dialect, indexed, hint)
        self._indexed = indexed
        self._numeric: set[int] = set()

    def find_numeric(self, connection: Connection) -> None:
        """Find the columns that hold only numbers: their type need not be checked row by row."""
        for member, _ in _members(self._plan):
            slot = self._slot(member)
            if not query_plan.holds(connection, self._flow.id, slot, ">=", index_columns.FIRST_TEXT):
                self._numeric.add(slot)

    def spans(self, connection: Connection) -> list[Span] | None:
        groups = self._plan.groups
        by_age = bool(groups) and all(group.unit and group.member == _AGE for group in groups)
        if not by_age or self._hint != query_plan.ALL_INDEXED:
            return None
        of_all = query_plan.span(connection, self._flow)
        return [] if of_all is None else spans([group.unit for group in groups], *of_all)

    def select(self, *wanted: ColumnElement[Any], in_span: bool = False) -> Select[Any]:
        query = super().select(*wanted).where(drops.c.indexed.is_not(None))
        if not in_span:
            return query
        return query.where(
            drops.c.indexed >= bindparam("span_start"), drops.c.indexed < bindparam("span_end")
        )

    def _number(self, member: tuple[str, ...]) -> ColumnElement[Any]:
        if member == _AGE:
            return drops.c.indexed
        column = self._value(member)
        if self._slot(member) in self._numeric:
            return column
        return case((func.typeof(column).in_(_NUMBERS), column), else_=null())

    def _value(self, member: tuple[str, ...]) -> ColumnElement[Any]:
        return drops.c[SLOT_NAMES[self._slot(member)]]

    def _slot(self, member: tuple[str, ...]) -> int:
        path = index_columns.path_of(member)
        assert path is not None
        return self._indexed.slots[path]

    def _text(self, member: tuple[str, ...]) -> ColumnElement[Any]:
        if member == _AGE:
            return func.json_quote(drops.c.indexed)
        column = self._value(member)
        truth = ((column == index_columns.TRUE, "true"), (column == index_columns.FALSE, "false"))
        return case((func.typeof(column) == "text", func.json_quote(column)), *truth, else_=null())


def _can_answer(connection: Connection, plan: Plan, flow: Flow, indexed: index_columns.Columns) -> bool:
    """Whether the index of all indexed elements holds everything that the outputs ask for."""
    now = now_ms()
    for node in (plan.filter, *plan.rules.values()):
        if node is not None and not index_columns.can_answer(
            node, indexed.slots, now, indexed.disordered, _IN_INDEX
        ):
            return False
    for member, is_key in _members(plan):
        path = index_columns.path_of(member)
        slot = None if path is None else indexed.slots.get(path)
        if slot is None:
            return False
        if is_key and query_plan.holds(connection, flow.id, slot, ">", index_columns.TRUE):
            return False
    return True


def _members(plan: Plan) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The members that a plan reads, and whether it needs more of them than their numbers."""
    rules = {(name,) for name in plan.rules} | {_AGE, ()}
    for output in plan.outputs:
        if not isinstance(output.measure, ListMeasure) and output.member not in rules:
            yield output.member, False
    for group in plan.groups:
        if group.member not in ({_AGE} if group.unit else rules):
            yield group.member, True

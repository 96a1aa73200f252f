"""Conditions in SQL on the table `streams` of a BTrDB server, for filters on the metadata of streams.

The SQL is that which PostgreSQL (with hstore) and the embedded platform have in common. Every value is a
parameter. No condition is ever null: a tag that is null or empty is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from .columns import literal_pattern
from .index_columns import literal_start
from .nodes import (
    ORDER,
    Age,
    And,
    Compare,
    Contains,
    Exists,
    Filter,
    Has,
    In,
    Inside,
    Member,
    Modulo,
    Not,
    Operand,
    Or,
    Regex,
    Within,
)
from .operands import plain
from .values import TYPE_NAMES

__all__ = ["TAGS", "Condition", "Conditions", "stream_member"]

TAGS = ("name", "unit", "ingress", "distiller")
"""The tags that a stream has on a server with SQL. Each is a column."""

MOST_PARAMETERS = 500
"""The most values of a query."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that holds for all streams that a rule can match.

    Attributes:
        sql: the text; "" if it holds for all streams.
        is_exact: whether the rule matches all streams for which it holds.
        narrows: whether there is any use in asking for it, without knowing the rest.
    """

    sql: str
    is_exact: bool = True
    narrows: bool = True


TRUE, FALSE = Condition("true"), Condition("false")
UNKNOWN = Condition("", is_exact=False, narrows=False)


@dataclass(frozen=True, slots=True)
class StreamMember:
    """What a member of a filter is.

    Attributes:
        kind: "text" for uuid, collection and tags; "annotation"; "map" for `tags` or `annotations` as a
            whole; "odd" for one whose meaning depends on the stream; "none" for what no stream has.
        name: the column, or the key of the annotation.
        is_whole: whether it is the annotation, and not a part of it.
    """

    kind: str
    name: str = ""
    is_whole: bool = True


def stream_member(member: Member) -> StreamMember:
    """What a member of a filter is on a server whose streams have TAGS."""
    first, *inner = member.parts
    if first in ("tags", "annotations"):
        if not inner:
            return StreamMember("map", first)
        if inner[0] == "value":  # a key of that name, or the map itself
            return StreamMember("odd")
        if first == "annotations":
            return StreamMember("annotation", inner[0], is_whole=len(inner) == 1)
        first, *inner = inner
        known: tuple[str, ...] = TAGS
    else:
        known = ("uuid", "collection", "name", "unit")
    if first not in known or any(part != "value" for part in inner):
        return StreamMember("none")
    return StreamMember("text", first)


@dataclass
class Conditions:
    """Writes conditions, and collects the parameters of one query."""

    _numbers: dict[str, int] = field(default_factory=dict)

    def numbered(self, sql: str) -> tuple[str, tuple[str, ...]]:
        """A condition in which the parameters that are left are $1, $2 and so on, and their values."""
        values = list(self._numbers)
        used: dict[str, int] = {}

        def number(found: re.Match[str]) -> str:
            value = values[int(found[1]) - 1]
            return f"${used.setdefault(value, len(used) + 1)}"

        return re.sub(r"\$([0-9]+)", number, sql), tuple(used)

    def of(self, node: Filter, wanted: bool = True) -> Condition:
        """The condition of a filter, or if not `wanted` that of its negation."""
        match node:
            case Not(one):
                return self.of(one, not wanted)
            case And(filters) | Or(filters):
                return _joined([self.of(one, wanted) for one in filters], isinstance(node, And) == wanted)
            case Compare(left, "!=", value):
                return self.of(Compare(left, "==", value), not wanted)
            case Modulo(left, divisor, "!=", left_over):
                return self.of(Modulo(left, divisor, "==", left_over), not wanted)
            case Age(member, "!=", ms):
                return self.of(Age(member, "==", ms), not wanted)
        found = self._rule(node)
        if wanted:
            return found
        if not found.is_exact:
            return UNKNOWN
        return {TRUE: FALSE, FALSE: TRUE}.get(found) or Condition(f"not ({found.sql})")

    def _rule(self, node: Filter) -> Condition:
        match node:
            case Exists(member):
                return self._about(member, lambda column: _present(column), exists=True)
            case Compare(left, op, value):
                return self._about(left, lambda column: self._compare(column, op, value), node)
            case In(left, items):
                return self._about(left, lambda column: self._in(column, items), node)
            case Regex(left, pattern, flags):
                return self._about(left, lambda column: self._regex(column, pattern, flags), node)
            case Modulo(left) | Contains(left) | Within(left) | Inside(left):
                return self._about(left, lambda _column: FALSE, node)
            case Age(member):
                return self._about(member or Member(("creationDate",)), lambda _column: FALSE, node)
            case Has(name):  # of the members, those that every stream has are texts and maps
                return TRUE if TYPE_NAMES.get(name) in (str, dict) else FALSE
        return UNKNOWN

    def _about(
        self,
        member: Member,
        of_text: Callable[[str], Condition],
        node: Filter | None = None,
        *,
        exists: bool = False,
    ) -> Condition:
        found = stream_member(member)
        if found.kind == "text":
            return of_text(found.name)
        if found.kind == "annotation":
            if "\0" in found.name:
                return FALSE
            key = self._parameter(found.name)
            if exists:
                return Condition(f"exist(annotations, {key})", is_exact=found.is_whole)
            return self._annotation(key, node if found.is_whole else None)
        if found.kind == "map":
            return TRUE if exists else UNKNOWN
        return FALSE if found.kind == "none" else UNKNOWN

    # Texts: uuid, collection and tags

    def _compare(self, column: str, op: str, value: Operand) -> Condition:
        if isinstance(value, Member):
            return UNKNOWN
        wanted = plain(value)
        if op == "==":
            return self._in(column, (value,))
        if not isinstance(wanted, str) or op not in ORDER:
            return FALSE
        if "\0" in wanted:
            return UNKNOWN
        ordered = f'{_text(column)} collate "C" {op} {self._parameter(wanted)}'
        return Condition(ordered if op[0] == ">" and wanted else f"({_present(column).sql} and {ordered})")

    def _in(self, column: str, items: tuple[Operand, ...]) -> Condition:
        if any(isinstance(item, Member) for item in items):
            return UNKNOWN
        wanted = [one for one in map(plain, items) if isinstance(one, str) and one and "\0" not in one]
        if not wanted:
            return FALSE
        if len(wanted) > MOST_PARAMETERS:
            return UNKNOWN
        return Condition(_is_one_of(_text(column), [self._parameter(one) for one in wanted]))

    def _regex(self, column: str, pattern: str, flags: str) -> Condition:
        literal = literal_pattern(pattern, flags)
        text = _text(column)
        if literal is None:
            start = literal_start(pattern, flags)
            return self._starts(text, start, is_exact=False) if start else UNKNOWN
        if literal.starts:
            return self._starts(text, literal.text)
        parameter = self._parameter(literal.text)
        if literal.ends:
            return Condition(f"right({text}, {len(literal.text)}) = {parameter}")
        return Condition(f"strpos({text}, {parameter}) > 0")

    def _starts(self, text: str, start: str, is_exact: bool = True) -> Condition:
        return Condition(f"left({text}, {len(start)}) = {self._parameter(start)}", is_exact)

    # Annotations: the server knows their texts, and not the values that are written in them

    def _annotation(self, key: str, node: Filter | None) -> Condition:
        has_it = f"exist(annotations, {key})"
        match node:
            case Compare(_, "==", value):
                items: tuple[Operand, ...] = (value,)
            case In(_, items):
                pass
            case _:
                items = ()
        values = [None if isinstance(item, Member) else plain(item) for item in items]
        wanted = [one for one in values if isinstance(one, str) and "\0" not in one]
        if not wanted or len(wanted) < len(items) or len(wanted) > MOST_PARAMETERS:
            return Condition(has_it, is_exact=False)
        text = f"coalesce(fetchval(annotations, {key}), '')"
        equal = _is_one_of(text, [self._parameter(one) for one in wanted])
        # A text in quotes may be any JSON for the same text.
        return Condition(f"({has_it} and ({equal} or strpos({text}, '\"') > 0))", is_exact=False)

    def _parameter(self, value: str) -> str:
        return f"${self._numbers.setdefault(value, len(self._numbers) + 1)}"


def _text(column: str) -> str:
    if column == "uuid":
        return "uuid::text"
    return column if column == "collection" else f"coalesce({column}, '')"


def _present(column: str) -> Condition:
    if column in ("uuid", "collection"):
        return TRUE
    return Condition(f"{_text(column)} <> ''")


def _is_one_of(text: str, parameters: list[str]) -> str:
    if len(parameters) == 1:
        return f"{text} = {parameters[0]}"
    return f"{text} in ({', '.join(parameters)})"


def _joined(several: list[Condition], is_and: bool) -> Condition:
    """The conditions joined by AND or by OR."""
    is_exact = all(one.is_exact for one in several)
    known = [one for one in several if one.sql]
    if not known or (not is_and and len(known) < len(several)):
        return UNKNOWN
    narrows = (any if is_and else all)(one.narrows for one in known)
    sql = (
        known[0].sql
        if len(known) == 1
        else f"({(' and ' if is_and else ' or ').join(one.sql for one in known)})"
    )
    return Condition(sql, is_exact, narrows)

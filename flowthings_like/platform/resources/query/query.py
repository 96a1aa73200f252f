"""A query: which documents of a collection, in which order, and how much of each.

The same parameters serve drops and every other resource: filter, start (or skip), limit, sort, order, only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ....errors import InvalidInput
from ....filters import text as filter_text
from ....filters.quoting import split_path
from ....filters.sql import translate
from ....wire.rest import LARGEST_LIMIT
from ...ids import now_ms
from ...problems import BadRequest
from ...store import json_columns
from . import misspellings
from .search import Search

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import Select

    from ....filters.index_columns import Columns
    from ....filters.nodes import Filter
    from ....filters.sql import Translation

DEFAULT_LIMIT = 20
MOST_SORTS = 32
"""Most members to sort by."""

YES = ("1", "true", "True", "TRUE")
NO = ("0", "false", "False", "FALSE")

_LARGEST_START = 2**62
_USUAL = frozenset({"filter", "limit"})  # the parameters of look-ups, which come in large numbers
_NAME = r"(?:`(?:[^`\\]|\\.)*`|\w[\w-]*)"
_SORTABLE = re.compile(rf"{_NAME}(?:\.{_NAME})*", re.DOTALL)
BY_AGE = ("creationDate", "id")
"""Members that sort by age. Further members decide nothing, because no two documents are equal in these."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to find.

    Attributes:
        filter: a node of the filter language, None for everything.
        start: how many to leave out at the beginning.
        limit: how many at most.
        sort: (member, descending) pairs, the most significant first; none for newest first. Documents without
            the member come last either way; numbers come before strings; equal ones newest first.
        only: the top-level members wanted, besides `id`; None for all.
        hints: whether elements are shown as {type, value}; None if the query does not say.
    """

    filter: Filter | None = None
    start: int = 0
    limit: int = DEFAULT_LIMIT
    sort: tuple[tuple[str, bool], ...] = ()
    only: tuple[str, ...] | None = None
    hints: bool | None = None
    now: int = field(default_factory=now_ms)

    @classmethod
    def from_params(cls, params: Mapping[str, Sequence[str]], known: frozenset[str] = frozenset()) -> Query:
        """A query from URL parameters, each a list of the values given. Unknown ones are ignored.

        Args:
            known: the members that the platform knows; a near miss of these in `only` is refused.

        Raises:
            BadRequest: a parameter makes no sense; the message says what would.
        """
        only = _names(params, "only")
        misspellings.check(only, known, "member")
        start = _one(params, "start")
        return cls(
            filter=parse_filter(_one(params, "filter") or ""),
            start=min(_count("start", start or _one(params, "skip"), 0), _LARGEST_START),
            limit=min(_count("limit", _one(params, "limit"), DEFAULT_LIMIT), LARGEST_LIMIT),
            sort=_sort(_names(params, "sort"), _names(params, "order")),
            only=tuple(only) or None,
            hints=switch(params, "hints"),
        )

    @classmethod
    def from_values(cls, params: Mapping[str, Any], known: frozenset[str] = frozenset()) -> Query:
        """A query from JSON members: strings, numbers, truth values or lists of them. Raises BadRequest."""
        misspellings.check(params, misspellings.PARAMETERS, "parameter")
        filter, limit = params.get("filter"), params.get("limit")
        if params.keys() <= _USUAL and type(filter) is str and type(limit) is int and limit >= 0:
            return cls(filter=parse_filter(filter), limit=min(limit, LARGEST_LIMIT))
        return cls.from_params({name: _texts(name, value) for name, value in params.items()}, known)

    def apply(
        self,
        statement: Select[Any],
        *,
        columns: json_columns.Columns,
        document: ColumnElement[Any],
        newest: Sequence[ColumnElement[Any]],
        dialect: Dialect,
        indexed: Columns | None = None,
    ) -> Search:
        """The search in `statement` with this query's filter, order and limits.

        Args:
            statement: selects the whole collection.
            columns: the top-level members that are columns.
            document: the JSON column that holds all others.
            newest: the columns that, descending, order the collection newest first without a tie.
            dialect: the database's.
            indexed: columns that hold indexed members.

        Raises:
            BadRequest: the filter asks for something that cannot be evaluated here.
        """
        rest: Filter | None = None
        if self.filter is not None:
            found = translated(
                self.filter,
                columns=columns,
                document=document,
                dialect=dialect,
                now=self.now,
                indexed=indexed,
            )
            statement, rest = statement.where(found.condition), found.rest
        order: list[ColumnElement[Any]] = []
        for member, descending in self.sort:
            if member in BY_AGE:
                order += [column.desc() if descending else column.asc() for column in newest]
                break
            order += json_columns.order(
                member_parts(member), columns, document, descending=descending, dialect=dialect.name
            )
        else:
            order += [column.desc() for column in newest]
        statement = statement.order_by(*order)
        if rest is None:
            statement = statement.limit(self.limit)
            statement = statement.offset(self.start) if self.start else statement
        return Search(statement, rest, self.start, self.limit, self.now)

    def pick(self, document: dict[str, Any]) -> dict[str, Any]:
        """`document`, or its id and the members in `only`."""
        return document if self.only is None else Excerpt(document, {"id", *self.only})


class Excerpt(dict[str, Any]):
    """Some members of a document. It keeps the whole document, because references are found in that.

    Attributes:
        whole: the document.
    """

    __slots__ = ("whole",)

    def __init__(self, document: dict[str, Any], wanted: Collection[str]) -> None:
        super().__init__((name, value) for name, value in document.items() if name in wanted)
        self.whole = document


def parse_filter(text: Any, what: str = "filter") -> Filter | None:
    """A filter's text as a node, None if it is blank. Raises BadRequest saying where it goes wrong."""
    if not isinstance(text, str):
        raise BadRequest(f"{what} must be a string of the filter language, not {type(text).__name__}")
    try:
        return filter_text.parse(text)
    except InvalidInput as error:
        raise BadRequest(str(error) if what == "filter" else f"{what}: {error}") from error


def translated(
    node: Filter,
    *,
    columns: json_columns.Columns,
    document: ColumnElement[Any],
    dialect: Dialect,
    now: int,
    indexed: Columns | None = None,
) -> Translation:
    """A filter as SQL, and what is left of it. Raises BadRequest if it cannot be evaluated here."""
    try:
        return translate(
            node, columns=columns, document=document, dialect=dialect.name, now=now, indexed=indexed
        )
    except InvalidInput as error:
        raise BadRequest(str(error)) from error


def member_parts(member: str) -> tuple[str, ...]:
    """The parts of a dotted member name; a part in backquotes may hold dots. Raises BadRequest."""
    try:
        return split_path(member)
    except InvalidInput as error:
        raise BadRequest(
            f"{member!r} names no member, write a name such as temp or elems.temp: {error}"
        ) from error


def switch(params: Mapping[str, Sequence[str]], name: str) -> bool | None:
    """Whether a parameter says yes or no; None if it says neither."""
    said = (params.get(name) or ("",))[-1]
    return True if said in YES else False if said in NO else None


def _one(params: Mapping[str, Sequence[str]], name: str) -> str | None:
    given = params.get(name) or ()
    if len(given) > 1:
        raise BadRequest(f"{name} was given {len(given)} times: once is enough")
    return given[0] if given else None


def _count(name: str, given: str | None, default: int) -> int:
    if given is None or not given.strip():
        return default
    if not re.fullmatch(r"\s*\+?[0-9]{1,30}\s*", given):
        raise BadRequest(f"{name} must be a whole number of at least 0, not {given[:40]!r}")
    return int(given)


def _names(params: Mapping[str, Sequence[str]], name: str) -> list[str]:
    return [part.strip() for given in params.get(name) or () for part in given.split(",") if part.strip()]


def _sort(members: list[str], orders: list[str]) -> tuple[tuple[str, bool], ...]:
    directions = []
    for order in orders:
        if order.lower() not in ("asc", "desc"):
            raise BadRequest(f"order must be asc or desc, not {order!r}")
        directions.append(order.lower() == "desc")
    if not members:
        members = ["creationDate"] if directions else []
    if len(directions) > 1 and len(directions) != len(members):
        raise BadRequest(
            f"{len(directions)} orders for {len(members)} sorts: give one for all, or one for each"
        )
    if len(directions) < len(members):
        directions = (directions or [True]) * len(members)
    if len(members) > MOST_SORTS:
        raise BadRequest(f"{len(members)} members to sort by: {MOST_SORTS} is the most")
    for member in members:
        if not _SORTABLE.fullmatch(member):
            raise BadRequest(
                f"sort: {member[:80]!r} can be no member's name. Write a name such as temp or elems.temp, "
                "the direction as order, and in backquotes what is not made of letters, digits, _ and -"
            )
        member_parts(member)
    return tuple(zip(members, directions, strict=False))


def _texts(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (str, int, float)):
        return [str(value)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _texts(name, item)]
    raise BadRequest(f"{name} must be a string or a number, not {type(value).__name__}")

"""What the targets of filters share: the table of them, `split`, and `Explanation`.

A target turns a filter into what some store understands. It is one module in this folder and one line in
TARGETS. Its writer takes a filter and returns the store's text or request. For a filter that the store
cannot test, it raises `CannotFilter`. The predicate gives every rule its meaning: if a store's own meaning
differs, the writer says the rule so that the predicate's meaning comes out, or refuses it.

A service does three things with a target:

    parts = split(where, writer, partial=partial)            # CannotFilter for a rest without partial=True
    if explain:
        return Explanation.of("things", [code], parts)
    test = parts.test()                                      # the rest, tested before a limit counts
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

from ..errors import CannotFilter, InvalidInput
from .coerce import unwrapped
from .nodes import And, Filter, Not, Or
from .predicate import Test, compile_predicate
from .text import parse

__all__ = [
    "TARGETS",
    "Explanation",
    "Parts",
    "all_filters",
    "all_of",
    "cannot",
    "conjuncts",
    "filter_of",
    "split",
]

TARGETS: Mapping[str, str] = MappingProxyType(
    {
        "text": "the platform's filter language",
        "predicate": "a Python function",
        "sql": "the platform's SQL",
        "arrays": "masks of numpy over columns",
        "keys": "ranges of the keys of records",
        "streams": "searches of a BTrDB server for streams",
        "dbapi": "SQL for a DB-API driver",
        "things": "code of ThingsDB",
    }
)
"""What each target makes of a filter, by the name of the target's module."""

_PARTIAL = "; with partial=True this part is tested here, on what the rest of the filter finds"


def filter_of(where: object) -> Filter | None:
    """The filter that a caller has given: a Filter, its text, a thunk of one of these, or None for no filter.

    Raises:
        FilterSyntaxError: the text does not parse.
        InvalidInput: it is something else.
    """
    if isinstance(where, Filter):
        return where
    where = unwrapped(where)
    if where is None or isinstance(where, Filter):
        return where
    if isinstance(where, str):
        return parse(where)
    raise InvalidInput(
        f"expected a filter, such as mem.value > 30, or its text, not {type(where).__name__}; "
        "put every comparison in parentheses: (mem.a > 1) & (mem.b == 2)"
    )


def all_filters(filters: Iterable[object]) -> Filter | None:
    """All of these filters in one, each given as for `filter_of`. None if none of them is a filter."""
    return all_of([node for one in filters if (node := filter_of(one)) is not None])


def cannot(target: str, part: Filter, instead: str) -> NoReturn:
    """Raise CannotFilter for a part of a filter that a target cannot say.

    Args:
        target: what cannot test it, as a subject: "LookupStreams", "ThingsDB".
        part: the rule, or the whole filter if its combination is at fault.
        instead: the reason and what would work, "has no order of texts; compare with == or IN".
    """
    raise CannotFilter(target, str(part), instead)


@dataclass(frozen=True, slots=True)
class Parts:
    """A filter in two parts: a document matches it exactly if it matches both.

    Attributes:
        said: what the target can say; None if that is nothing.
        rest: what has to be tested on the documents that the target finds; None if that is nothing.
    """

    said: Filter | None
    rest: Filter | None

    def test(self) -> Test | None:
        """The compiled rest, to call with a document and the current time in ms. None without a rest.

        Raises:
            InvalidInput: the rest cannot be evaluated, see `compile_predicate`.
        """
        return None if self.rest is None else compile_predicate(self.rest)


def split(
    node: Filter | None, write: Callable[[Filter], object], *, partial: bool = True, allowed: bool = True
) -> Parts:
    """Split a filter into what a target can say and the rest.

    Only a conjunction is split: `a && b`, and `NOT (a || b)`, which is `NOT a && NOT b`. A part of `||` that
    cannot be said makes the whole `||` a part of the rest.

    Args:
        node: the filter; None for no filter, of which nothing is said and nothing is left.
        write: the target's writer, or a check that raises CannotFilter just as it does.
        partial: whether a rest is allowed.
        allowed: whether the caller's call has an argument `partial`, of which the error speaks.

    Raises:
        CannotFilter: there is a rest, and `partial` is False.
    """
    if node is None:
        return Parts(None, None)
    said: list[Filter] = []
    rest: list[Filter] = []
    for part in conjuncts(node):
        try:
            write(part)
        except CannotFilter as error:
            if not partial:
                raise CannotFilter(
                    error.target, error.part, error.instead + (_PARTIAL if allowed else "")
                ) from None
            rest.append(part)
        else:
            said.append(part)
    if not rest:
        return Parts(node, None)  # as it was written
    return Parts(all_of(said), all_of(rest) if said else node)


def conjuncts(node: Filter, wanted: bool = True) -> list[Filter]:
    """The filters of which `node` (or, if not `wanted`, its negation) is the conjunction."""
    match node:
        case Not(one):
            return conjuncts(one, not wanted)
        case And(filters) if wanted:
            return [part for one in filters for part in conjuncts(one, True)]
        case Or(filters) if not wanted:
            return [part for one in filters for part in conjuncts(one, False)]
    return [node if wanted else Not(node)]


def all_of(filters: list[Filter]) -> Filter | None:
    """The filter that all of these match; None for no filters."""
    if len(filters) < 2:
        return filters[0] if filters else None
    return And(tuple(filters))


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a filtered call would do, in place of doing it. `str` shows it in lines.

    Attributes:
        target: the name of the target in TARGETS.
        requests: what is asked of the store, in the store's own words: a statement or the code, or one line
            for each request. Values that travel as parameters are not in it.
        rest: the text of the filter that is tested on what the store returns; "" if nothing is.
    """

    target: str
    requests: tuple[str, ...]
    rest: str = ""

    @classmethod
    def of(cls, target: str, requests: Any, parts: Parts) -> Explanation:
        """The explanation of a split filter."""
        return cls(target, tuple(requests), "" if parts.rest is None else str(parts.rest))

    def __str__(self) -> str:
        lines = [f"{self.target}: {request}" for request in self.requests]
        return "\n".join([*lines, *([f"tested here: {self.rest}"] if self.rest else [])])

"""What lists and tuples can do. Only lists change."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from .... import things_errors as errors
from .operators import BINARY
from .signature import METHODS, method
from .values import Closure, List, Value, equal, type_name

if TYPE_CHECKING:
    from .run import Run
    from .signature import Array

_less, _add = BINARY["<"], BINARY["+"]


# -- lists only: they change


@method(List)
def push(run: Run, items: List, *values: Value) -> int:
    """Puts the values at the end. Returns the new length."""
    return _added(run, items, len(items), values)


@method(List)
def unshift(run: Run, items: List, *values: Value) -> int:
    """Puts the values at the start. Returns the new length."""
    return _added(run, items, 0, values)


@method(List)
def extend(run: Run, items: List, values: Array) -> int:
    """Puts the values of another list at the end. Returns the new length."""
    return _added(run, items, len(items), values)


@method(List)
def extend_unique(run: Run, items: List, values: Array) -> int:
    """As `extend`, without those that are in the list already."""
    for value in tuple(values):
        run.spend(len(items))
        if not has(run, items, value):
            _added(run, items, len(items), (value,))
    return len(items)


def _added(run: Run, items: List, at: int, values: Array) -> int:
    added = run.items(values)
    run.collection.change(items, added)
    items[at:at] = added
    return len(items)


@method(List)
def pop(run: Run, items: List, *other: Value) -> Value:
    """Removes the last item and returns it; `other` if there is none."""
    return _removed(run, items, -1, other)


@method(List)
def shift(run: Run, items: List, *other: Value) -> Value:
    """Removes the first item and returns it; `other` if there is none."""
    return _removed(run, items, 0, other)


def _removed(run: Run, items: List, at: int, other: tuple[Value, ...]) -> Value:
    if not items:
        return _otherwise(run, other, "the list is empty")
    run.collection.change(items)
    return items.pop(at)


@method(List)
def splice(run: Run, items: List, start: int, count: int, *values: Value) -> List:
    """Removes so many items from `start` on, puts the values there, and returns what was removed."""
    at = min(max(start + len(items) if start < 0 else start, 0), len(items))
    end = at + max(count, 0)
    removed, added = List(items[at:end]), run.items(values)
    run.collection.change(items, added)
    items[at:end] = added
    return removed


@method(List)
def remove(run: Run, items: List, closure: Closure, *other: Value) -> Value:
    """Removes the first item for which the closure is true and returns it; `other` if there is none."""
    for at, item in enumerate(tuple(items)):
        if run.call(closure, item, at):
            run.collection.change(items)
            del items[at : at + 1]
            return item
    return _otherwise(run, other, "there is no such item")


@method(List)
def clear(run: Run, items: List) -> None:
    run.collection.change(items)
    items.clear()


@method(List)
def fill(run: Run, items: List, value: Value) -> List:
    """Puts the value in the place of every item."""
    filled = run.items([value] * len(items))
    run.collection.change(items, filled)
    items[:] = filled
    return items


# -- both


@method(List, tuple)
def first(run: Run, items: Array, *other: Value) -> Value:
    return items[0] if items else _otherwise(run, other, "the list is empty")


@method(List, tuple)
def last(run: Run, items: Array, *other: Value) -> Value:
    return items[-1] if items else _otherwise(run, other, "the list is empty")


def _otherwise(run: Run, other: tuple[Value, ...], why: str) -> Value:
    if not other:
        raise errors.LookupError(why)
    return run.call(other[0]) if type(other[0]) is Closure else other[0]


@method(List, tuple)
def choice(run: Run, items: Array) -> Value:
    return random.choice(items) if items else _otherwise(run, (), "the list is empty")


@method(List, tuple)
def has(run: Run, items: Array, value: Value) -> bool:
    return any(equal(item, value) for item in items)


@method(List, tuple)
def index_of(run: Run, items: Array, value: Value) -> int | None:
    """Where the value is first; nil if it is not there."""
    return next((at for at, item in enumerate(items) if equal(item, value)), None)


@method(List, tuple)
def find_index(run: Run, items: Array, closure: Closure) -> int | None:
    """The first index for which the closure is true; nil if there is none."""
    return next((at for at, item in enumerate(tuple(items)) if run.call(closure, item, at)), None)


@method(List, tuple)
def reverse(run: Run, items: Array) -> List:
    return List(items[::-1])


@method(List, tuple)
def flat(run: Run, items: Array) -> List:
    """The items; of those that are lists, their items."""
    return run.items(inner for item in items for inner in (item if type(item) is tuple else (item,)))


@method(List, tuple)
def unique(run: Run, items: Array) -> List:
    kept = List()
    for item in items:
        run.spend(len(kept))
        if not has(run, kept, item):
            kept.append(item)
    return kept


@method(List, tuple)
def is_unique(run: Run, items: Array) -> bool:
    return len(unique(run, items)) == len(items)


@method(List, tuple)
def sum_(run: Run, items: Array, closure: Closure | None = None) -> Value:
    total: Value = 0
    for at, item in enumerate(tuple(items)):
        total = _add(total, item if closure is None else run.call(closure, item, at))
    return total


@method(List, tuple)
def sort(run: Run, items: Array, by: Closure | bool | None = None, reverse: bool = False) -> List:
    """A sorted list: by a closure of one item, or by one of two that says which comes first, as a negative
    number, 0 or a positive one."""
    run.spend(4 * len(items))
    if isinstance(by, Closure):
        if len(by.names) == 2:
            return List(sorted(items, key=_key(lambda a, b: _sign(run.call(by, a, b))), reverse=reverse))
        places = [(run.call(by, item), at) for at, item in enumerate(tuple(items))]
        places.sort(key=_key(lambda a, b: _order(a[0], b[0])), reverse=reverse)
        return List(items[at] for _, at in places)
    kinds = set(map(type, items))
    plain = kinds <= {bool, int, float} or kinds == {str}  # Python's order is the language's
    return List(sorted(items, key=None if plain else _key(_order), reverse=reverse or by is True))


def _key(compare: Callable[[Value, Value], int]) -> Any:
    return cmp_to_key(compare)


def _order(a: Value, b: Value) -> int:
    return -1 if _less(a, b) else int(_less(b, a))


def _sign(value: Value) -> int:
    if type(value) not in (int, bool):
        raise errors.TypeError(f"expected a closure of type `int` to sort by, not `{type_name(value)}`")
    return int(value)


@method(List, tuple)
def copy(run: Run, items: Array) -> List:
    return run.items(items)


METHODS[List]["dup"] = METHODS[tuple]["dup"] = METHODS[List]["copy"]

"""Methods of lists and tuples. Only lists can be changed."""

from __future__ import annotations

import random
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from .....wire.things import errors
from ..runtime.builtin import METHODS, method
from ..runtime.iteration import Iteration
from ..runtime.operators import BINARY
from ..values.equality import equal
from ..values.plain import result_depth
from ..values.types import Closure, List, Thing, Value, type_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..runtime.builtin import Array, Lazy
    from ..runtime.run import Run

_less, _add = BINARY["<"], BINARY["+"]


# -- lists only: they change


@method(List, mutates=True)
def push(run: Run, items: List, value: Value, *values: Value) -> int:
    """Append values. Returns the new length."""
    return _added(run, items, len(items), (value, *values))


@method(List, mutates=True)
def unshift(run: Run, items: List, value: Value, *values: Value) -> int:
    """Insert values at the start. Returns the new length."""
    return _added(run, items, 0, (value, *values))


@method(List, mutates=True)
def extend(run: Run, items: List, values: Array) -> int:
    """Append the values of another list. Returns the new length."""
    return _added(run, items, len(items), values)


@method(List, mutates=True)
def extend_unique(run: Run, items: List, values: Array) -> int:
    """Append the values of another list that are not in this one yet. Returns the new length."""
    for value in tuple(values):
        run.spend(len(items))
        if not has(run, items, value):
            _added(run, items, len(items), (value,))
    return len(items)


def _added(run: Run, items: List, at: int, values: Array) -> int:
    added = run.items(values)
    run.collection.mark_items_changed(items, added)
    items[at:at] = added
    return len(items)


@method(List, mutates=True)
def pop(run: Run, items: List) -> Value:
    """Remove the last item and return it."""
    return _removed(run, items, -1, "pop from empty list")


@method(List, mutates=True)
def shift(run: Run, items: List) -> Value:
    """Remove the first item and return it."""
    return _removed(run, items, 0, "shift from empty list")


def _removed(run: Run, items: List, at: int, why_not: str) -> Value:
    if not items:
        raise errors.LookupError(why_not)
    run.collection.mark_items_changed(items)
    return items.pop(at)


@method(List, mutates=True)
def splice(run: Run, items: List, start: int, count: int, *values: Value) -> List:
    """Remove so many items from `start` on and insert the values there. Returns the removed items."""
    at = start + len(items) if start < 0 else min(start, len(items))
    if at < 0:  # positions before the first item count as removed
        at, count = 0, count + at
    end = at + max(count, 0)
    removed, added = List(items[at:end]), run.items(values)
    run.spend(len(removed))
    run.collection.mark_items_changed(items, added)
    items[at:end] = added
    return removed


@method(List, mutates=True)
def remove(run: Run, items: List, closure: Closure, most: int | None = None) -> List:
    """Remove the items for which the closure is true and return them.

    `most` bounds their number; if it is negative, the last ones are removed.
    """
    run.check_effects(closure)
    order = list(enumerate(items))
    if most is not None and most < 0:
        order.reverse()
    found: list[int] = []
    for at, item in order:
        if most is not None and len(found) >= abs(most):
            break
        if run.call(closure, item, at):
            found.append(at)
    found.sort()
    removed = List(items[at] for at in found)
    if found:
        gone = set(found)
        run.collection.mark_items_changed(items)
        items[:] = [item for at, item in enumerate(items) if at not in gone]
    return removed


@method(List, mutates=True)
def clear(run: Run, items: List) -> None:
    run.collection.mark_items_changed(items)
    items.clear()


@method(List, mutates=True)
def fill(run: Run, items: List, value: Value) -> List:
    """Replace every item by the value."""
    filled = run.items([value] * len(items))
    run.collection.mark_items_changed(items, filled)
    items[:] = filled
    return items


# -- both


@method(List, tuple)
def first(run: Run, items: Array, other: Lazy | None = None) -> Value:
    return items[0] if items else _default(other, "no first item in an empty list")


@method(List, tuple)
def last(run: Run, items: Array, other: Lazy | None = None) -> Value:
    return items[-1] if items else _default(other, "no last item in an empty list")


def _default(other: Lazy | None, why_not: str) -> Value:
    if other is None:
        raise errors.LookupError(why_not)
    return other()


@method(List, tuple)
def choice(run: Run, items: Array) -> Value:
    return random.choice(items) if items else _default(None, "choice from empty list")


@method(List, tuple)
def has(run: Run, items: Array, value: Value) -> bool:
    return any(equal(item, value) for item in items)


@method(List, tuple)
def index_of(run: Run, items: Array, value: Value) -> int | None:
    """Return the first index of the value; nil if the list does not have it."""
    return next((at for at, item in enumerate(items) if equal(item, value)), None)


@method(List, tuple)
def find_index(run: Run, items: Array, closure: Closure) -> int | None:
    """Return the first index for which the closure is true; nil if there is none."""
    with Iteration(run, items, closure) as found:
        return next((at for item, at in found if run.call(closure, item, at)), None)


@method(List, tuple)
def reverse(run: Run, items: Array) -> List:
    run.spend(len(items))
    return List(items[::-1])


@method(List, tuple)
def flat(run: Run, items: Array, deep: int = 1) -> List:
    """Return a list in which nested lists are replaced by their items, so many levels down."""
    return run.items(_flattened(run, items, deep))


def _flattened(run: Run, items: Array, deep: int) -> list[Value]:
    found: list[Value] = []
    for item in items:
        run.spend()
        if type(item) is tuple and deep > 0:
            found += _flattened(run, item, deep - 1)
        else:
            found.append(item)
    return found


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
    with Iteration(run, items, closure) as found:
        for item, at in found:
            number = item if closure is None else run.call(closure, item, at)
            if type(number) not in (int, float, bool):
                raise errors.TypeError(f"`-/+` not supported by type `{type_name(number)}`")
            total = _add(total, number)
    return total


@method(List, tuple)
def sort(run: Run, items: Array, by: Closure | bool | None = None, reverse: bool | None = None) -> List:
    """Return a sorted list.

    A closure with one parameter gives the key of an item. A closure with two compares two items and returns a
    negative number, 0 or a positive one. `true` sorts in descending order.
    """
    if run.sorting:
        raise errors.OperationError("function `sort` cannot be used recursively")
    if reverse is not None and not isinstance(by, Closure):
        raise errors.TypeError(
            "function `sort` expects argument 1 to be of type `closure` "
            f"but got type `{type_name(by)}` instead"
        )
    run.spend(4 * len(items))
    if len(items) < 2:
        return List(items)
    if not isinstance(by, Closure):
        kinds = set(map(type, items))
        plain = kinds <= {bool, int} or kinds == {str}  # Python's order is that of the language
        return List(sorted(items, key=None if plain else _key(_order), reverse=by is True))
    if len(by.names) not in (1, 2):
        raise errors.NumArgumentsError("function `sort` requires a closure which accepts 1 or 2 arguments")
    if len(by.names) == 2 and reverse is not None:
        raise errors.NumArgumentsError(
            "cannot specify an order with a closure which takes two arguments; "
            "in this case the order should be specified within the closure"
        )
    run.sorting = True
    try:
        if len(by.names) == 2:
            return List(sorted(items, key=_key(lambda a, b: _sign(run.call(by, a, b)))))
        places = [(run.charge_kept(run.call(by, item)), at) for at, item in enumerate(tuple(items))]
        places.sort(key=_key(lambda a, b: _order(a[0], b[0])), reverse=reverse is True)
        return List(items[at] for _, at in places)
    finally:
        run.sorting = False


def _key(compare: Callable[[Value, Value], int]) -> Any:
    return cmp_to_key(compare)


def _order(a: Value, b: Value) -> int:
    return -1 if _less(a, b) else int(_less(b, a))


def _sign(value: Value) -> int:
    if type(value) is not int:
        raise errors.TypeError(
            f"expecting a return value of type `int` but got type `{type_name(value)}` instead"
        )
    return value


@method(List, tuple)
def copy(run: Run, items: Array, deep: Value = 0) -> List:
    """Return a new list of the same items; things in it are copied to that depth."""
    deep = result_depth(deep)
    return run.items([_copied(run, item, deep) for item in items])


def _copied(run: Run, item: Value, deep: int) -> Value:
    if deep and type(item) is Thing:
        return METHODS[Thing]["copy"](run, item, deep)
    if deep and type(item) is tuple:
        return tuple([_copied(run, inner, deep) for inner in item])
    return item


METHODS[List]["dup"] = METHODS[tuple]["dup"] = METHODS[List]["copy"]

"""Methods of sets of things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.builtin import METHODS, method
from ..values.plain import result_depth
from ..values.types import Closure, List, Thing, ThingSet, Value, type_name

if TYPE_CHECKING:
    from ..runtime.run import Run


@method(ThingSet, mutates=True)
def add(run: Run, things: ThingSet, thing: Value, *more: Value) -> int:
    """Add things. Returns how many of them were new."""
    added = (thing, *more)
    for value in added:
        if type(value) is not Thing:
            raise errors.TypeError(f"cannot add type `{type_name(value)}` to a set")
    before = len(things)
    run.collection.mark_items_changed(things, added)
    things.update(dict.fromkeys(added))
    return len(things) - before


@method(ThingSet)
def has(run: Run, things: ThingSet, thing: Thing) -> bool:
    return thing in things


@method(ThingSet, mutates=True)
def remove(run: Run, things: ThingSet, what: Value, *more: Value) -> List:
    """Remove these things, or at most so many for which a closure is true. Returns the removed things."""
    found = _true_for(run, things, what, more) if type(what) is Closure else _among(things, (what, *more))
    run.collection.mark_items_changed(things)
    for thing in found:
        things.pop(thing, None)
    return List(found)


def _true_for(run: Run, things: ThingSet, closure: Closure, limit: tuple[Value, ...]) -> list[Thing]:
    if len(limit) > 1:
        raise errors.NumArgumentsError(
            "function `remove` takes at most 2 arguments when using a `closure` "
            f"but {1 + len(limit)} were given"
        )
    most = limit[0] if limit else len(things)
    if type(most) is not int:
        raise errors.TypeError(
            "function `remove` expects argument 2 to be of type `int` "
            f"but got type `{type_name(most)}` instead"
        )
    run.check_effects(closure)
    found: list[Thing] = []
    for thing in tuple(things):
        if len(found) == most:
            break
        if run.call(closure, thing, thing.id):
            found.append(thing)
    return found


def _among(things: ThingSet, wanted: tuple[Value, ...]) -> list[Thing]:
    for number, value in enumerate(wanted, 1):
        if type(value) is not Thing:
            kinds = "type `closure` or type `thing`" if number == 1 else "type `thing`"
            raise errors.TypeError(
                f"function `remove` expects argument {number} to be of {kinds} "
                f"but got type `{type_name(value)}` instead"
            )
    return [thing for thing in dict.fromkeys(wanted) if thing in things]


@method(ThingSet)
def one(run: Run, things: ThingSet) -> Thing:
    """Return any thing of the set."""
    for thing in things:
        return thing
    raise errors.LookupError("one from empty set")


@method(ThingSet, mutates=True)
def clear(run: Run, things: ThingSet) -> None:
    run.collection.mark_items_changed(things)
    things.clear()


@method(ThingSet)
def copy(run: Run, things: ThingSet, deep: Value = 0) -> ThingSet:
    """Return a new set of the same things, or of copies of them to that depth."""
    run.spend(len(things))
    deep = result_depth(deep)
    if not deep:
        return ThingSet(things)
    return ThingSet(METHODS[Thing]["copy"](run, thing, deep) for thing in things)


METHODS[ThingSet]["dup"] = METHODS[ThingSet]["copy"]

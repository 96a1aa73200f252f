"""Methods that several of lists, tuples, sets and things share: most call a closure for each item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.builtin import METHODS, method
from ..runtime.iteration import Iteration
from ..runtime.unsupported import undefined_method
from ..values.equality import equal
from ..values.types import Closure, List, Thing, ThingSet, Value, type_name

if TYPE_CHECKING:
    from ..runtime.builtin import Array, Lazy
    from ..runtime.run import Run


@method(List, tuple, ThingSet, Thing, list, dict)
def len_(run: Run, value: Value) -> int:
    return len(value.props) if type(value) is Thing else len(value)


@method(List, tuple, ThingSet, Thing)
def each(run: Run, value: Value, closure: Closure) -> None:
    with Iteration(run, value, closure) as found:
        for passed in found:
            run.call(closure, *passed)


@method(List, tuple, ThingSet, Thing)
def map_(run: Run, value: Value, closure: Closure) -> List:
    with Iteration(run, value, closure) as found:
        return run.items(run.call(closure, *passed) for passed in found)


@method(List, tuple, ThingSet)
def map_id(run: Run, value: Value) -> List:
    """Return the ids of things or rooms."""
    run.spend(len(value))
    return List(_id_of(run, item) for item in value)


def _id_of(run: Run, item: Value) -> int | None:
    builtin = METHODS[type(item)].get("id")
    if builtin is None:
        raise undefined_method("id", type_name(item))
    id: int | None = builtin(run, item)
    return id


@method(List, tuple, ThingSet, Thing)
def filter_(run: Run, value: Value, closure: Closure) -> Value:
    """Return the items for which the closure is true, as the same type; a tuple gives a list."""
    with Iteration(run, value, closure) as found:
        kept = [passed for passed in found if run.call(closure, *passed)]
    if type(value) is ThingSet:
        return ThingSet(thing for thing, _ in kept)
    if type(value) is Thing:
        thing = Thing()
        for name, prop in kept:
            run.assign(thing, name, prop)
        return thing
    return List(item for item, _ in kept)


@method(List, tuple, ThingSet)
def find(run: Run, value: Value, closure: Closure, other: Lazy | None = None) -> Value:
    """Return the first item for which the closure is true; if there is none, `other`."""
    with Iteration(run, value, closure) as found:
        for passed in found:
            if run.call(closure, *passed):
                return passed[0]
    return other() if other else None


@method(List, tuple, ThingSet)
def some(run: Run, value: Value, closure: Closure) -> bool:
    with Iteration(run, value, closure) as found:
        return any(run.call(closure, *passed) for passed in found)


@method(List, tuple, ThingSet)
def every(run: Run, value: Value, closure: Closure) -> bool:
    with Iteration(run, value, closure) as found:
        return all(run.call(closure, *passed) for passed in found)


@method(List, tuple)
def count(run: Run, items: Array, wanted: Value) -> int:
    """Count the items that equal `wanted`, or for which it is true if it is a closure."""
    if type(wanted) is not Closure:
        return sum(1 for item in items if equal(item, wanted))
    with Iteration(run, items, wanted) as found:
        return sum(1 for passed in found if run.call(wanted, *passed))


@method(List, tuple, ThingSet)
def reduce(run: Run, value: Value, closure: Closure, initial: Lazy | None = None) -> Value:
    """Call closure(result, item, index) for each item. The first item is the default initial result."""
    with Iteration(run, value, closure) as found:
        if initial:
            result = initial()
        elif found:
            result = found.pop(0)[0]
        else:
            kind = "set" if type(value) is ThingSet else "list"
            raise errors.LookupError(f"reduce on empty {kind} with no initial value set")
        for item, at in found:
            result = run.call(closure, result, item, at)
        return result

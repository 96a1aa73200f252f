"""What lists, tuples, sets and things have in common: closures called for each of their values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .... import things_errors as errors
from .iteration import passes
from .signature import method
from .values import Closure, List, Thing, ThingSet, Value, equal

if TYPE_CHECKING:
    from .run import Run


@method(List, tuple, ThingSet, Thing, list, dict)
def len_(run: Run, value: Value) -> int:
    return len(value.props) if type(value) is Thing else len(value)


@method(List, tuple, ThingSet, Thing)
def each(run: Run, value: Value, closure: Closure) -> None:
    for found in passes(value):
        run.call(closure, *found)


@method(List, tuple, ThingSet, Thing)
def map_(run: Run, value: Value, closure: Closure) -> List:
    return run.items([run.call(closure, *found) for found in passes(value)])


@method(List, tuple, ThingSet, Thing)
def filter_(run: Run, value: Value, closure: Closure) -> Value:
    """Those for which the closure is true: of the same type, tuples as a list."""
    kept = [found for found in passes(value) if run.call(closure, *found)]
    if type(value) is ThingSet:
        return ThingSet(thing for thing, _ in kept)
    if type(value) is Thing:
        thing = Thing()
        for name, prop in kept:
            run.collection.assign(thing, name, prop)
        return thing
    return List(item for item, _ in kept)


@method(List, tuple, ThingSet)
def find(run: Run, value: Value, closure: Closure, other: Value = None) -> Value:
    """The first one for which the closure is true; if there is none, `other`."""
    for found in passes(value):
        if run.call(closure, *found):
            return found[0]
    return run.call(other) if type(other) is Closure else other


@method(List, tuple, ThingSet, Thing)
def some(run: Run, value: Value, closure: Closure) -> bool:
    return any(run.call(closure, *found) for found in passes(value))


@method(List, tuple, ThingSet, Thing)
def every(run: Run, value: Value, closure: Closure) -> bool:
    return all(run.call(closure, *found) for found in passes(value))


@method(List, tuple, ThingSet)
def count(run: Run, value: Value, wanted: Value) -> int:
    """How many equal `wanted`, or how many it is true for if it is a closure."""
    return sum(1 for _ in _matching(run, value, wanted))


def _matching(run: Run, value: Value, wanted: Value) -> Iterator[Value]:
    for item, at in passes(value):
        if run.call(wanted, item, at) if type(wanted) is Closure else equal(item, wanted):
            yield item


@method(List, tuple, ThingSet)
def reduce(run: Run, value: Value, closure: Closure, *initial: Value) -> Value:
    """closure(so far, item, index), over all of them; the first one is the start if none is given."""
    found = list(passes(value))
    if initial:
        result = initial[0]
    elif found:
        result = found.pop(0)[0]
    else:
        raise errors.LookupError("expected a start value: there is nothing to reduce")
    for item, at in found:
        result = run.call(closure, result, item, at)
    return result

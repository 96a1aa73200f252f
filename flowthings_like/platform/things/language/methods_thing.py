"""What things and sets of things can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .... import things_errors as errors
from . import limits
from .access import named, set_member
from .signature import METHODS, method
from .values import Closure, List, Thing, ThingSet, Value, equal, load, type_name

if TYPE_CHECKING:
    from .run import Run


@method(Thing)
def id_(run: Run, thing: Thing) -> int | None:
    return thing.id


@method(Thing)
def get(run: Run, thing: Thing, name: str, other: Value = None) -> Value:
    return thing.props.get(name, other)


@method(Thing)
def set_(run: Run, thing: Thing, name: str, value: Value) -> Value:
    return set_member(run, thing, name, value)


@method(Thing)
def has(run: Run, thing: Thing, name: str) -> bool:
    return name in thing.props


@method(Thing)
def del_(run: Run, thing: Thing, name: str) -> None:
    if name not in thing.props:
        raise errors.LookupError(f"{named(thing)} has no property `{name}`")
    run.collection.touch(thing)
    _let_go(thing.props.pop(name))


def _let_go(value: Value) -> None:
    """The list or set is no property any more."""
    if type(value) in (List, ThingSet):
        value.owner = None


@method(Thing)
def ren(run: Run, thing: Thing, old: str, new: str) -> None:
    """Gives a property another name; it keeps its place."""
    if old not in thing.props:
        raise errors.LookupError(f"{named(thing)} has no property `{old}`")
    if new == "#":
        raise errors.ValueError("expected another property than `#`: it is kept for the ids of things")
    kept = {name: value for name, value in thing.props.items() if name != new or old == new}
    run.collection.touch(thing)
    thing.props = {new if name == old else name: value for name, value in kept.items()}


@method(Thing)
def clear(run: Run, thing: Thing) -> None:
    run.collection.touch(thing)
    for value in thing.props.values():
        _let_go(value)
    thing.props.clear()


@method(Thing)
def keys(run: Run, thing: Thing) -> List:
    return List(thing.props)


@method(Thing)
def values(run: Run, thing: Thing) -> List:
    return run.items(thing.props.values())


@method(Thing)
def vmap(run: Run, thing: Thing, closure: Closure) -> Thing:
    """A new thing with the closure's value for each property: closure(value)."""
    made = Thing()
    for name, value in tuple(thing.props.items()):
        run.collection.assign(made, name, run.call(closure, value))
    return made


@method(Thing)
def assign(run: Run, thing: Thing, other: Thing) -> Thing:
    """Sets all properties of the other thing on this one."""
    for name, value in tuple(other.props.items()):
        run.collection.assign(thing, name, value)
    return thing


@method(Thing)
def equals(run: Run, thing: Thing, other: Value) -> bool:
    """Whether the other thing has equal properties."""
    if type(other) is not Thing or thing.props.keys() != other.props.keys():
        return False
    return all(equal(value, other.props[name]) for name, value in thing.props.items())


@method(Thing)
def copy(run: Run, thing: Thing, depth: int = 1) -> Thing:
    """A new thing with the same properties; things within it are copied to that depth."""
    if not 0 <= depth <= limits.MAX_DEPTH:
        raise errors.ValueError(f"expected a depth from 0 to {limits.MAX_DEPTH}, not {depth}")
    made = Thing()
    if depth:
        run.spend(len(thing.props))
        for name, value in tuple(thing.props.items()):
            inner = copy(run, value, depth - 1) if type(value) is Thing and depth > 1 else value
            run.collection.assign(made, name, inner)
    return made


METHODS[Thing]["dup"] = METHODS[Thing]["copy"]


# -- sets


@method(ThingSet)
def add(run: Run, things: ThingSet, *added: Value) -> int:
    """Puts the things into the set. Returns how many of them were new."""
    for value in added:
        if type(value) is not Thing:
            raise errors.TypeError(f"cannot add type `{type_name(value)}` to a set: it takes things only")
    before = len(things)
    run.collection.change(things, added)
    things.update(dict.fromkeys(added))
    return len(things) - before


@method(ThingSet)
def has_(run: Run, things: ThingSet, thing: Thing) -> bool:
    return thing in things


@method(ThingSet)
def remove(run: Run, things: ThingSet, *what: Value) -> List:
    """Removes these things, or those for which a closure is true. Returns the ones that were removed."""
    closure = what[0] if what and type(what[0]) is Closure else None
    if closure is not None:
        found = [thing for thing in tuple(things) if run.call(closure, thing, thing.id)]
    else:
        found = [thing for thing in what if type(thing) is Thing and thing in things]
    run.collection.change(things)
    for thing in found:
        things.pop(thing, None)
    return List(found)


@method(ThingSet)
def one(run: Run, things: ThingSet) -> Thing:
    """Any thing of the set."""
    for thing in things:
        return thing
    raise errors.LookupError("the set is empty")


@method(ThingSet)
def clear_(run: Run, things: ThingSet) -> None:
    run.collection.change(things)
    things.clear()


@method(ThingSet)
def copy_(run: Run, things: ThingSet) -> ThingSet:
    run.spend(len(things))
    return ThingSet(things)


METHODS[ThingSet]["dup"] = METHODS[ThingSet]["copy"]


@method(list, dict)
def load_(run: Run, plain: Value) -> Value:
    """The information as things and lists that code can use."""
    return load(plain)

"""Methods of things, and of mpdata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.access import describe_thing, set_member
from ..runtime.builtin import METHODS, method
from ..runtime.iteration import Iteration
from ..storage.collection import disown
from ..values.equality import equal
from ..values.plain import load, result_depth
from ..values.types import Closure, List, Thing, ThingSet, Value, type_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..runtime.builtin import Lazy
    from ..runtime.run import Run


@method(Thing)
def id_(run: Run, thing: Thing) -> int | None:
    return thing.id


@method(Thing)
def get(run: Run, thing: Thing, name: str, other: Lazy | None = None) -> Value:
    if name in thing.props:
        return thing.props[name]
    return other() if other else None


@method(Thing, mutates=True)
def set_(run: Run, thing: Thing, name: str, value: Value) -> Value:
    return set_member(run, thing, name, value)


@method(Thing)
def has(run: Run, thing: Thing, name: str) -> bool:
    return name in thing.props


@method(Thing, mutates=True)
def del_(run: Run, thing: Thing, name: str) -> Value:
    """Remove a property and return its value."""
    value = _found(thing, name)
    _check_free(thing, name)
    run.collection.mark_changed(thing)
    disown(value)
    del thing.props[name]
    return value


def _found(thing: Thing, name: str) -> Value:
    if name not in thing.props:
        raise errors.LookupError(f"{describe_thing(thing)} has no property `{name}`")
    return thing.props[name]


def _check_free(thing: Thing, name: str) -> None:
    value = thing.props[name]
    if type(value) in (List, ThingSet) and value.in_use:
        kind = "list" if type(value) is List else "set"
        raise errors.OperationError(
            f"cannot change or remove property `{name}` on `#{thing.id or 0}` while the `{kind}` is in use"
        )


@method(Thing, mutates=True)
def ren(run: Run, thing: Thing, old: str, new: str) -> None:
    """Rename a property. It keeps its place in the order."""
    _found(thing, old)
    if new in thing.props:
        raise errors.LookupError(f"property `{new}` already exists")
    if new == "#":
        raise errors.ValueError("property `#` is reserved")
    run.collection.mark_changed(thing)
    thing.props = {new if name == old else name: value for name, value in thing.props.items()}


@method(Thing, mutates=True)
def clear(run: Run, thing: Thing) -> None:
    for name in thing.props:
        _check_free(thing, name)
    run.collection.mark_changed(thing)
    for value in thing.props.values():
        disown(value)
    thing.props.clear()


@method(Thing, mutates=True)
def remove(run: Run, thing: Thing, closure: Closure, most: int | None = None) -> List:
    """Remove at most so many properties for which closure(name, value) is true. Returns their values."""
    run.check_effects(closure)
    found: list[str] = []
    for name, value in tuple(thing.props.items()):
        if len(found) == most:
            break
        if run.call(closure, name, value):
            _check_free(thing, name)
            found.append(name)
    removed = run.items(thing.props[name] for name in found)
    if found:
        run.collection.mark_changed(thing)
    for name in found:
        disown(thing.props.pop(name))
    return removed


@method(Thing)
def keys(run: Run, thing: Thing) -> List:
    run.spend(len(thing.props))
    return List(thing.props)


@method(Thing)
def values(run: Run, thing: Thing) -> List:
    return run.items(thing.props.values())


@method(Thing)
def vmap(run: Run, thing: Thing, closure: Closure) -> Thing:
    """Return a new thing whose properties have the results of closure(value)."""
    made = Thing()
    with Iteration(run, thing, closure) as found:
        for name, value in found:
            run.assign(made, name, run.call(closure, value))
    return made


@method(Thing, mutates=True)
def assign(run: Run, thing: Thing, other: Thing) -> Thing:
    """Set all properties of another thing on this one."""
    for name, value in tuple(other.props.items()):
        set_member(run, thing, name, value)
    return thing


@method(Thing)
def equals(run: Run, thing: Thing, other: Value, deep: Value = 1) -> bool:
    """Whether another thing has equal properties; things in them are compared to that depth."""
    return _alike(run, thing, other, result_depth(deep))


def _alike(run: Run, a: Value, b: Value, deep: int) -> bool:
    run.spend()
    if a is b:
        return True
    if type(a) is Thing and type(b) is Thing:
        if not deep:
            return True
        return a.props.keys() == b.props.keys() and all(
            _alike(run, value, b.props[name], deep - 1) for name, value in a.props.items()
        )
    if type(a) in (List, tuple) and type(b) in (List, tuple):
        return len(a) == len(b) and all(_alike(run, x, y, deep) for x, y in zip(a, b, strict=True))
    return equal(a, b)


@method(Thing)
def search(run: Run, thing: Thing, needle: Thing, options: Thing | None = None) -> List:
    """Find the places where this thing, or things in it down to a depth, refer to the needle.

    Each place is a thing with parent, parent_type, key and key_type. The options are deep and limit.
    """
    deep, limit = 1, 1
    for name, option in options.props.items() if options else ():
        if name == "deep":
            deep = result_depth(option)
        elif name == "limit":
            limit = _limit(option)
        else:
            raise errors.ValueError(f"invalid search option `{name}`")
    found: list[Value] = []
    if deep and limit:
        _search(run, thing, needle, deep, limit, found, set())
    return run.items(found)


def _limit(value: Value) -> int:
    if type(value) is not int:
        raise errors.TypeError(
            f"expecting `limit` to be of type `int` but got type `{type_name(value)}` instead"
        )
    if not 0 <= value <= _MOST_FOUND:
        raise errors.ValueError(
            f"expecting a `limit` value between 0 and {_MOST_FOUND} but got {value} instead"
        )
    return value


_MOST_FOUND = 255


def _search(
    run: Run, parent: Thing, needle: Thing, deep: int, limit: int, found: list[Value], within: set[Thing]
) -> None:
    """Add the places to `found`. `within` are the things that are being searched already."""
    for key, value in parent.props.items():
        for thing in _things_in(run, value):
            if thing in within:
                continue
            if thing is needle:
                place = Thing()
                place.props.update(parent=parent, parent_type="thing", key=key, key_type=type_name(value))
                found.append(place)
            if len(found) < limit and deep > 1:
                within.add(thing)
                _search(run, thing, needle, deep - 1, limit, found, within)
                within.discard(thing)
            if len(found) == limit:
                return


def _things_in(run: Run, value: Value) -> Iterator[Thing]:
    run.spend()
    if type(value) is Thing:
        yield value
    elif type(value) in (List, tuple, ThingSet):
        for item in value:
            yield from _things_in(run, item)


@method(Thing)
def copy(run: Run, thing: Thing, deep: Value = 1) -> Thing:
    """Return a new thing with the same properties; things in it are copied to that depth.

    With depth 0 it is the thing itself.
    """
    return _copied(run, thing, result_depth(deep))


def _copied(run: Run, thing: Thing, deep: int) -> Thing:
    if not deep:
        return thing
    made = Thing()
    run.spend(1 + len(thing.props))
    for name, value in tuple(thing.props.items()):
        run.assign(made, name, _inner(run, value, deep - 1))
    return made


def _inner(run: Run, value: Value, deep: int) -> Value:
    if not deep:
        return value
    if type(value) is Thing:
        return _copied(run, value, deep)
    if type(value) is ThingSet:
        return ThingSet(_copied(run, thing, deep) for thing in value)
    if type(value) in (List, tuple):
        run.spend(len(value))
        return type(value)([_inner(run, item, deep) for item in value])
    return value


METHODS[Thing]["dup"] = METHODS[Thing]["copy"]


@method(list, dict)
def load_(run: Run, plain: Value) -> Value:
    """Convert mpdata to things and lists that code can use."""
    return load(plain)

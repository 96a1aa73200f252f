"""Functions about the query itself: the root, the depth of its result, its log, references to a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.builtin import ABSENT, function
from ..values.plain import result_depth
from ..values.text import text_of
from ..values.types import (
    List,
    Room,
    Thing,
    ThingSet,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..runtime.run import Run


@function
def root(run: Run) -> Thing | None:
    """Return the root of the collection; nil in other scopes."""
    return run.collection.root if run.scope.kind == "collection" else None


@function
def deep(run: Run, value: Value = ABSENT) -> int:
    """Return how many levels of things the result shows; with an argument, set it first."""
    if value is not ABSENT:
        run.depth = result_depth(value)
    return run.depth


@function
def refs(run: Run, value: Value) -> int:
    """Count the variables, properties, lists and sets that refer to the value, and the argument itself."""
    count = 1 if type(value) in (Thing, List, ThingSet, Room, tuple) else 2
    count += value is run.collection.root
    frame = run.frame
    while frame is not None:
        count += _times(value, frame.values())
        frame = frame.outer  # type: ignore[assignment]
    if run.scope.kind == "collection":
        for thing in run.collection.things:
            run.spend(1 + len(thing.props))
            count += _times(value, thing.props.values())
            for prop in thing.props.values():
                if type(prop) in (List, ThingSet):
                    run.spend(len(prop))
                    count += _times(value, prop)
    return count


def _times(value: Value, among: Iterable[Value]) -> int:
    return sum(1 for each in among if each is value)


@function
def log(run: Run, value: Value) -> None:
    """Send the value as text to the client that made the query."""
    run.logs.append(run.charge_kept(text_of(value)))

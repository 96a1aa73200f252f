"""Iterates over a value for a loop or a closure, while nothing else may change the value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .....wire.things import errors
from ..values.types import Closure, List, Thing, ThingSet, Value, type_name

if TYPE_CHECKING:
    from types import TracebackType

    from .run import Run

__all__ = ["InUse", "Iteration", "pairs_of"]


class InUse:
    """A context manager that marks a value as in use: nothing may change it."""

    __slots__ = ("_mine", "_value")

    def __init__(self, value: Value) -> None:
        self._value = value
        self._mine = not getattr(value, "in_use", True)

    def __enter__(self) -> None:
        if self._mine:
            self._value.in_use = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._mine:
            self._value.in_use = False


class Iteration:
    """A context manager that returns the arguments of each iteration, and marks the value as in use.

    Raises:
        OperationError: the closure has side effects, and the query did not declare any.
    """

    __slots__ = ("_closure", "_run", "_use", "_value")

    def __init__(self, run: Run, value: Value, closure: Closure | None = None) -> None:
        self._run = run
        self._value = value
        self._closure = closure
        self._use = InUse(value)

    def __enter__(self) -> list[tuple[Value, Value]]:
        if self._closure is not None:
            self._run.check_effects(self._closure)
        found = pairs_of(self._value)
        self._use.__enter__()
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._use.__exit__(kind, error, traceback)


def pairs_of(value: Value) -> list[tuple[Value, Value]]:
    """Return (item, index) of a list or tuple, (name, value) of a thing, (thing, id) of a set.

    Raises:
        TypeError: it is none of these.
    """
    kind = type(value)
    if kind is List or kind is tuple:
        return list(zip(value, range(len(value)), strict=True))
    if kind is Thing:
        return list(value.props.items())
    if kind is ThingSet:
        return [(thing, thing.id) for thing in value]
    raise errors.TypeError(f"type `{type_name(value)}` is not iterable")

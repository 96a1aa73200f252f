"""The state of one query: its variables, the steps it has left, and how its result is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

from .....wire.things import errors
from .. import limits
from ..values.types import Closure, List, Thing, ThingSet, Value, type_name

if TYPE_CHECKING:
    from .scope import Scope

__all__ = ["Code", "Frame", "Return", "Run"]


class Return(Exception):
    """Carries the value of `return` out of the closure or the query."""

    def __init__(self, value: Value) -> None:
        self.value = value


class Frame(dict[str, Value]):
    """The variables of a running closure, or of the query itself.

    A variable is looked up from the innermost frame outwards: a closure sees the variables of its caller. `=`
    sets a variable of the innermost frame, even if an outer frame has one of that name. `+=` and the like
    change the one that was found.
    """

    __slots__ = ("outer",)
    outer: Frame | None

    @classmethod
    def within(cls, outer: Frame | None, variables: Iterable[tuple[str, Value]] = ()) -> Frame:
        """Return a frame with these variables."""
        frame = cls(variables)
        frame.outer = outer
        return frame

    def holder(self, name: str) -> Frame | None:
        """Return the frame that has the variable, None if there is none."""
        frame: Frame | None = self
        while frame is not None and name not in frame:
            frame = frame.outer
        return frame


class Run:
    """The state of one query.

    Attributes:
        scope, collection: where it runs.
        frame: the innermost frame.
        depth: how many levels of things the result shows, 0 to 127.
        ids: whether the result shows the ids of things.
        logs: what the code logged, as text.
        may_change: whether the query may change what is stored, because its text says so; see `effects`.
        forbids_changes: whether the text says by `nse` that the query changes nothing.
        sorting: whether a `sort` is running.
        closures: this query's copies of the closures in its text, by the compiled ones.
    """

    __slots__ = (
        "_calls",
        "_end",
        "_steps",
        "closures",
        "collection",
        "depth",
        "forbids_changes",
        "frame",
        "ids",
        "logs",
        "may_change",
        "scope",
        "sorting",
    )

    def __init__(
        self,
        scope: Scope,
        variables: Mapping[str, Value],
        logs: list[str] | None = None,
        may_change: bool = True,
        forbids_changes: bool = False,
    ) -> None:
        self.scope = scope
        self.collection = scope.collection
        self.frame = Frame.within(None, variables.items())
        self.depth = scope.deep
        self.ids = True
        self.logs = [] if logs is None else logs
        self.may_change = may_change
        self.forbids_changes = forbids_changes
        self.sorting = False
        self.closures: dict[Closure, Closure] = {}
        self._steps = limits.MAX_STEPS
        self._end = monotonic() + limits.MAX_SECONDS
        self._calls = 0

    def spend(self, steps: int = 1) -> None:
        """Use up steps. Raises MaxQuotaError when the query has no steps or no time left."""
        self._steps -= steps
        if self._steps < 0:
            raise errors.MaxQuotaError(f"expected a query of at most {limits.MAX_STEPS} steps")
        if monotonic() > self._end:
            raise errors.MaxQuotaError(f"expected a query of at most {limits.MAX_SECONDS:g} seconds")

    def charge_new(self, value: Value) -> Value:
        """Use up the steps that a new value costs, and return it.

        A set costs a step for each thing. A text costs steps only above 64 Ki characters, so that code can
        build one piece by piece.
        """
        kind = type(value)
        if kind is str or kind is bytes:
            self.spend(len(value) >> 8 if len(value) >> 16 else 0)
        elif kind is ThingSet:
            self.spend(len(value))
        return value

    def charge_kept(self, value: Value) -> Value:
        """Use up the steps that it costs to keep a value in a list, a property or an event, and return it."""
        kind = type(value)
        self.spend(1 + (len(value) >> 8) if kind is str or kind is bytes else 1)
        if kind is Closure:
            value.bound = False
        return value

    def assign(self, thing: Thing, name: str, value: Value) -> Value:
        """Set a property and return its value, which may be a copy."""
        kind = type(value)
        if kind is List or kind is tuple or kind is ThingSet:
            self.spend(len(value))  # they are copied
        return self.collection.assign(thing, name, self.charge_kept(value))

    def items(self, values: Iterable[Value]) -> List:
        """Return a new list of the values. Lists within it become tuples, whose items cost steps too."""
        return List([self.item(value) for value in values])

    def item(self, value: Value, depth: int = 0) -> Value:
        """Return the value as an item of a list."""
        self.charge_kept(value)
        kind = type(value)
        if kind is List or kind is tuple or kind is ThingSet:
            if depth == limits.MAX_LISTS:
                raise errors.ValueError(f"expected at most {limits.MAX_LISTS} lists within each other")
            return tuple([self.item(inner, depth + 1) for inner in value])
        return value

    def call(self, closure: Closure, *args: Value) -> Value:
        """Call a closure and return its value. Missing arguments are nil, surplus ones are dropped."""
        self.spend()
        self.check_effects(closure)
        if self._calls == limits.MAX_CALLS:
            raise errors.OperationError("maximum recursion depth exceeded")
        self._calls += 1
        outer = self.frame
        names = closure.names
        self.frame = Frame.within(outer, zip_longest(names, args[: len(names)]))
        try:
            return closure.body(self)
        except Return as result:
            return result.value
        finally:
            self.frame = outer
            self._calls -= 1

    def check_effects(self, closure: Closure) -> None:
        """Raise OperationError if the closure has side effects and the query did not declare any."""
        if closure.has_side_effects and not self.may_change:
            raise errors.OperationError(
                "closures with side effects require a change but none is created; "
                "use `wse(...)` to enforce a change"
            )

    def start_change(self, value: Thing | List | ThingSet) -> None:
        """Mark the value as in use before it is changed. Set `in_use` to False afterwards.

        Raises:
            OperationError: it is in use, or it is stored and the query did not declare side effects.
        """
        if not self.may_change:
            owner = value if isinstance(value, Thing) else value.owner() if value.owner else None
            if owner is not None and owner.id is not None:
                how = "remove `nse(...)`" if self.forbids_changes else "use `wse(...)`"
                raise errors.OperationError(
                    f"operation on a stored {type_name(value)}; {how} to enforce a change"
                )
        if value.in_use:
            raise errors.OperationError(f"cannot change type `{type_name(value)}` while the value is in use")
        value.in_use = True


Code: TypeAlias = Callable[[Run], Value]
"""Compiled code: a function of the Run that returns a value."""

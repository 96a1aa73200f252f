"""One query: its variables, what it may still spend, and its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from .... import things_errors as errors
from . import limits
from .serialise import serialise
from .values import Closure, List, ThingSet, Value, is_name, load, type_name

if TYPE_CHECKING:
    from .collection import Collection
    from .parser import Program
    from .signature import Builtin

__all__ = [
    "NO_IDS",
    "Frame",
    "Return",
    "Run",
    "Scope",
    "call_procedure",
    "held",
    "result_depth",
    "run",
    "shows_ids",
]


class Scope:
    """Where code runs.

    Args:
        name: as the errors say it: @collection:stuff, @thingsdb, @node.
        collection: what the code reads and changes. The @thingsdb scope has one too, for its procedures.
        functions: further functions, those of the scope itself. Each is called with the Run first.
        kind: only a collection has a root, rooms and things by id; only @node has no procedures.
    """

    def __init__(
        self,
        name: str,
        collection: Collection,
        functions: Mapping[str, Builtin] | None = None,
        kind: Literal["collection", "thingsdb", "node"] = "collection",
    ) -> None:
        self.name = name
        self.collection = collection
        self.functions = functions or {}
        self.kind = kind


class Return(Exception):
    """Carries the value out."""

    def __init__(self, value: Value) -> None:
        self.value = value


class Frame(dict[str, Value]):
    """The variables of a block or closure that is under way, or of the query itself.

    A name is looked for from the innermost frame outwards: a closure sees the variables of whoever calls it.
    `=` makes a variable of the innermost frame, whatever has that name further out; `+=` and its like change
    the one that is there.
    """

    __slots__ = ("outer",)
    outer: Frame | None

    @classmethod
    def within(cls, outer: Frame | None, variables: Iterable[tuple[str, Value]] = ()) -> Frame:
        """A frame with these variables."""
        frame = cls(variables)
        frame.outer = outer
        return frame

    def holder(self, name: str) -> Frame | None:
        """The frame that has the variable, None if there is none."""
        frame: Frame | None = self
        while frame is not None and name not in frame:
            frame = frame.outer
        return frame


class Run:
    """The state of one query.

    Attributes:
        scope, collection: where it runs.
        frame: the innermost one.
        depth: how many levels of things the result shows, 0 to 127.
        ids: whether the result shows the ids of things.
        logs: what `log` was given, as text.
    """

    __slots__ = ("_calls", "_end", "_steps", "collection", "depth", "frame", "ids", "logs", "scope")

    def __init__(self, scope: Scope, variables: Mapping[str, Value], logs: list[str] | None = None) -> None:
        self.scope = scope
        self.collection = scope.collection
        self.frame = Frame.within(None, variables.items())
        self.depth = 1
        self.ids = True
        self.logs = [] if logs is None else logs
        self._steps = limits.MAX_STEPS
        self._end = monotonic() + limits.MAX_SECONDS
        self._calls = 0

    def spend(self, steps: int = 1) -> None:
        """Raises MaxQuotaError when the query has done all that it may."""
        self._steps -= steps
        if self._steps < 0:
            raise errors.MaxQuotaError(f"expected a query of at most {limits.MAX_STEPS} steps")
        if monotonic() > self._end:
            raise errors.MaxQuotaError(f"expected a query of at most {limits.MAX_SECONDS:g} seconds")

    @property
    def steps_left(self) -> int:
        """What the query may still do."""
        return self._steps

    def items(self, values: Iterable[Value]) -> List:
        """A new list of the values. Lists within it are tuples; each of their items costs a step too."""
        return List([self.item(value) for value in values])

    def item(self, value: Value, depth: int = 0) -> Value:
        """The value as an item of a list."""
        self.spend()
        kind = type(value)
        if kind is List or kind is tuple:
            if depth == limits.MAX_LISTS:
                raise errors.ValueError(f"expected at most {limits.MAX_LISTS} lists within each other")
            return tuple([self.item(inner, depth + 1) for inner in value])
        return value

    def call(self, closure: Closure, *args: Value) -> Value:
        """The closure's value. Missing arguments are nil, surplus ones are dropped."""
        self.spend()
        if self._calls == limits.MAX_CALLS:
            raise errors.OperationError(f"expected at most {limits.MAX_CALLS} closures that call each other")
        self._calls += 1
        outer = self.frame
        names = closure.names
        self.frame = Frame.within(outer, zip_longest(names, map(held, args[: len(names)])))
        try:
            return closure.body(self)
        except Return as result:
            return result.value
        finally:
            self.frame = outer
            self._calls -= 1


def held(value: Value) -> Value:
    """The value as a variable holds it: a stored list or set is copied."""
    kind = type(value)
    if kind is List:
        return value if value.owner is None else List(value)
    if kind is ThingSet:
        return value if value.owner is None else ThingSet(value)
    return value


def result_depth(value: Value) -> int:
    """What `return x, depth` says. Raises TypeError or ValueError unless it is an int from 0 to MAX_DEPTH."""
    if type(value) is not int:
        raise errors.TypeError(f"expected a depth of type `int`, not `{type_name(value)}`")
    if not 0 <= value <= limits.MAX_DEPTH:
        raise errors.ValueError(f"expected a depth from 0 to {limits.MAX_DEPTH}, not {value}")
    return value


NO_IDS = 32
"""The flag of `return x, depth, NO_IDS`."""


def shows_ids(flags: Value) -> bool:
    """Whether these flags leave the ids in the result."""
    if type(flags) is not int:
        raise errors.TypeError(f"expected flags of type `int`, not `{type_name(flags)}`")
    return not flags & NO_IDS


def run(program: Program, scope: Scope, variables: Mapping[str, Any], logs: list[str] | None = None) -> Any:
    """Runs the program to its end.

    Args:
        program: from `parse`.
        scope: where it runs. Its collection keeps the journal of what changed, also if this raises.
        variables: plain values by name, as they came with the query.
        logs: gets what the code logs, as text.

    Returns:
        The result as plain data that msgpack can pack. Nothing of the collection is held by it.

    Raises:
        ThingsDBError: what the code raised, or what is wrong with it.
    """
    return _answer(Run(scope, _loaded(variables), logs), program.body)


def call_procedure(
    name: str,
    args: Sequence[Any] | Mapping[str, Any] | None,
    scope: Scope,
    logs: list[str] | None = None,
) -> Any:
    """Runs a stored procedure, with arguments in order or by name, as the RUN request does.

    Raises:
        LookupError: there is no such procedure.
        TypeError: the arguments are neither a list nor a map.
    """
    closure = scope.collection.procedures.get(name)
    if closure is None or scope.kind == "node":
        raise errors.LookupError(f"procedure `{name}` not found in the `{scope.name}` scope")
    if args is None:
        args = ()
    elif isinstance(args, Mapping):
        args = [args.get(parameter) for parameter in closure.names]
    elif not isinstance(args, (list, tuple)):
        raise errors.TypeError(f"expected arguments as a list or map, not {type(args).__name__}")
    return _answer(Run(scope, {}, logs), _calling(closure, args))


# No frame between the caller and `_answer` holds a value: see there.


def _loaded(variables: Mapping[str, Any]) -> dict[str, Value]:
    for name in variables:
        if not is_name(name):
            raise errors.ValueError(f"expected a variable's name (letters, digits and _), not {name!r}")
    return {name: load(plain) for name, plain in variables.items()}


def _calling(closure: Closure, args: Sequence[Any]) -> Callable[[Run], Value]:
    values = [load(plain) for plain in args[: len(closure.names)]]
    return lambda run: run.call(closure, *values)


def _answer(state: Run, body: Callable[[Run], Value]) -> Any:
    failure: errors.ThingsDBError
    try:
        try:
            value = body(state)
        except Return as result:
            value = result.value
        return serialise(value, state.depth, state.ids)
    except errors.ThingsDBError as error:
        failure = error
    except RecursionError:
        failure = errors.OperationError("expected code that is nested less deep")
    except MemoryError:
        failure = errors.MemoryError("expected a query that needs less memory")
    # The traceback and the context hold on to frames, and those to things: what is not stored any more would
    # not be gone yet when the journal is taken.
    del state, body
    failure.__context__ = None
    raise failure.with_traceback(None)

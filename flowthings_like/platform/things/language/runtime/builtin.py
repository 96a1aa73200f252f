"""Declares functions and methods of the language, and checks and evaluates their arguments.

    @method(str)
    def starts_with(run: Run, text: str, start: str) -> bool: ...

The number of arguments and their types are read from the parameters of the Python function. An annotation is
a name in `_TYPES`, or several joined with `|`; `None` only marks an argument that may be left out. `Value`
accepts every type. `Lazy` is a function that evaluates the argument when it is called, for arguments that are
not always needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias, TypeVar

from .....wire.things import errors
from ..values.types import (
    TYPE_NAMES,
    Closure,
    Failure,
    List,
    Regex,
    Room,
    Thing,
    ThingSet,
    Timeval,
    Value,
    type_name,
)

__all__ = [
    "ABSENT",
    "FUNCTIONS",
    "METHODS",
    "Array",
    "Builtin",
    "Lazy",
    "Moment",
    "Nil",
    "Number",
    "function",
    "method",
]

Number: TypeAlias = "int | float"
Array: TypeAlias = "List | tuple[Value, ...]"
Moment: TypeAlias = "datetime | Timeval"
Lazy: TypeAlias = Callable[[], Value]
Nil: TypeAlias = None

_TYPES: dict[str, tuple[type, ...]] = {
    "None": (),
    "Nil": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (float,),
    "Number": (int, float),
    "str": (str,),
    "bytes": (bytes,),
    "Array": (List, tuple),
    "ThingSet": (ThingSet,),
    "Thing": (Thing,),
    "Room": (Room,),
    "Closure": (Closure,),
    "Failure": (Failure,),
    "Regex": (Regex,),
    "Moment": (datetime, Timeval),
}


ABSENT: Value = object()
"""The default of an argument that may be left out and may be nil."""

State = TypeVar("State")
"""The type of the Run, which this module only passes on."""


class Builtin:
    """A function or method of the language.

    Args:
        call: the Python function. Its first parameter is the Run; the second one of a method is the value.
        name: its name in code; by default that of the Python function, without a trailing `_`.
        first: the number of parameters before the arguments.
        most: the number of arguments that it accepts, if some of the parameters are no arguments.
        mutates: whether it is a method that changes the value.
    """

    __slots__ = ("_call", "_kinds", "_lazy", "least", "most", "mutates", "name")

    def __init__(
        self,
        call: Callable[..., Any],
        name: str | None = None,
        first: int = 1,
        most: int | None = None,
        mutates: bool = False,
    ) -> None:
        code = call.__code__
        count = code.co_argcount if most is None else first + most
        annotations = [call.__annotations__.get(parameter) for parameter in code.co_varnames[first:count]]
        self._call = call
        self.name = name or code.co_name.rstrip("_")
        self.least = code.co_argcount - len(call.__defaults__ or ()) - first
        self.most = None if code.co_flags & 0x04 else count - first
        self.mutates = mutates
        self._kinds = [_kinds(annotation) for annotation in annotations]
        self._lazy = next(
            (at for at, annotation in enumerate(annotations) if annotation and annotation.startswith("Lazy")),
            sys.maxsize,
        )

    def __call__(self, run: object, *values: Value) -> Value:
        """Call it with its arguments; for a method, the value comes first."""
        return self._call(run, *values)

    def check(self, count: int) -> None:
        """Raise NumArgumentsError unless it accepts so many arguments."""
        if self.least <= count and (self.most is None or count <= self.most):
            return
        given = f"but {count} {'was' if count == 1 else 'were'} given"
        if self.least == self.most:
            raise errors.NumArgumentsError(f"function `{self.name}` takes {_arguments(self.least)} {given}")
        if count < self.least:
            raise errors.NumArgumentsError(
                f"function `{self.name}` requires at least {_arguments(self.least)} {given}"
            )
        raise errors.NumArgumentsError(
            f"function `{self.name}` takes at most {_arguments(self.most or 0)} {given}"
        )

    def evaluate(self, run: State, codes: Sequence[Callable[[State], Value]]) -> list[Value]:
        """Evaluate the arguments in their order. Raises TypeError at the first that has a wrong type."""
        values: list[Value] = []
        for number, code in enumerate(codes):
            if number >= self._lazy:
                values.append(partial(code, run))
                continue
            value = code(run)
            kinds = self._kinds[number] if number < len(self._kinds) else ()
            if kinds and type(value) not in kinds:
                raise errors.TypeError(
                    f"function `{self.name}` expects argument {number + 1} to be of type "
                    f"{_either(kinds)} but got type `{type_name(value)}` instead"
                )
            values.append(value)
        return values


def _arguments(count: int) -> str:
    return f"{count} argument{'' if count == 1 else 's'}"


def _kinds(annotation: str | None) -> tuple[type, ...]:
    """Return the types that an annotation names; () if it accepts every type."""
    if annotation is None or annotation == "Value" or annotation.startswith("Lazy"):
        return ()
    return tuple(kind for name in annotation.split(" | ") for kind in _TYPES[name])


def _either(kinds: tuple[type, ...]) -> str:
    return (" or " if kinds == _TYPES["Number"] else " or type ").join(
        f"`{TYPE_NAMES[kind]}`" for kind in kinds
    )


FUNCTIONS: dict[str, Builtin] = {}
METHODS: dict[type, dict[str, Builtin]] = {kind: {} for kinds in _TYPES.values() for kind in kinds}
METHODS[list] = METHODS[dict] = {}

Function = TypeVar("Function", bound=Callable[..., Any])


def function(call: Function) -> Function:
    """Declare a function of every scope."""
    builtin = Builtin(call)
    FUNCTIONS[builtin.name] = builtin
    return call


def method(*kinds: type, mutates: bool = False) -> Callable[[Function], Function]:
    """Declare a method of values of these types. `mutates`: it changes the value."""

    def declare(call: Function) -> Function:
        builtin = Builtin(call, first=2, mutates=mutates)
        for kind in kinds:
            METHODS[kind][builtin.name] = builtin
        return call

    return declare

"""What a function of the language takes: read from the Python function that does it.

    @method(str)
    def starts_with(run: Run, text: str, start: str) -> bool: ...

The number of arguments comes from its parameters, their types from the annotations: any of the names in
`_TYPES`, several of them joined with `|`; None only says that there may be none. `Value` takes everything.
`Lazy` is a function without parameters that evaluates the argument, for one that is not always needed.
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
"""The Run, which this module only passes on."""


class Builtin:
    """A function of the language.

    Args:
        call: the Python function. Its first parameter is the Run; for a method the second is the value whose
            method it is.
        name: its name in code; else the Python function's, without `_` at its end.
        first: how many parameters come before the arguments.
        most: how many arguments there may be, if some of the parameters are none.
        mutates: whether it is a method that mutates the value.
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
        """Runs it: as a function with its arguments, as a method with the value first."""
        return self._call(run, *values)

    def check(self, count: int) -> None:
        """Raises NumArgumentsError if it does not take so many arguments."""
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
        """The arguments, one after the other. Raises TypeError at the first that has a wrong type."""
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
    """The types an annotation names; none of them for one that takes everything."""
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
    """Makes it a function of every scope."""
    builtin = Builtin(call)
    FUNCTIONS[builtin.name] = builtin
    return call


def method(*kinds: type, mutates: bool = False) -> Callable[[Function], Function]:
    """Makes it a method of values of these types. `mutates` says that it mutates the value."""

    def declare(call: Function) -> Function:
        builtin = Builtin(call, first=2, mutates=mutates)
        for kind in kinds:
            METHODS[kind][builtin.name] = builtin
        return call

    return declare

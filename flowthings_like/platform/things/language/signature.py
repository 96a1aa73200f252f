"""What a function of the language takes: read from the Python function that does it.

    @method(str)
    def starts_with(run: Run, text: str, start: str) -> bool: ...

The number of arguments comes from its parameters, their types from the annotations: any of the names in
`_TYPES`, several of them joined with `|`. `Value` takes everything.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .... import things_errors as errors
from .values import TYPE_NAMES, Closure, Failure, List, Regex, Room, Thing, ThingSet, Value, type_name

if TYPE_CHECKING:
    from .run import Run

__all__ = ["FUNCTIONS", "METHODS", "Array", "Builtin", "Number", "function", "method"]

Number: TypeAlias = "bool | int | float"
Array: TypeAlias = "List | tuple[Value, ...]"

_TYPES: dict[str, tuple[type, ...]] = {
    "None": (type(None),),
    "bool": (bool,),
    "int": (int, bool),
    "float": (float,),
    "Number": (int, bool, float),
    "str": (str,),
    "bytes": (bytes,),
    "Array": (List, tuple),
    "ThingSet": (ThingSet,),
    "Thing": (Thing,),
    "Room": (Room,),
    "Closure": (Closure,),
    "Failure": (Failure,),
    "Regex": (Regex,),
    "datetime": (datetime,),
}


class Builtin:
    """A function of the language.

    Args:
        call: the Python function. Its first parameter is the Run; for a method the second is the value whose
            method it is.
        name: its name in code; else the Python function's, without `_` at its end.
        first: how many parameters come before the arguments.
        most: how many arguments there may be, if some of the parameters are none.
    """

    __slots__ = ("_call", "_kinds", "least", "most", "name")

    def __init__(
        self, call: Callable[..., Any], name: str | None = None, first: int = 1, most: int | None = None
    ) -> None:
        code = call.__code__
        count = code.co_argcount if most is None else first + most
        self._call = call
        self.name = name or code.co_name.rstrip("_")
        self.least = code.co_argcount - len(call.__defaults__ or ()) - first
        self.most = None if code.co_flags & 0x04 else count - first
        self._kinds = [_kinds(call.__annotations__.get(name)) for name in code.co_varnames[first:count]]

    def __call__(self, run: Run, *values: Value) -> Value:
        """Runs it: as a function with its arguments, as a method with the value first."""
        return self._call(run, *values)

    def check(self, args: tuple[Value, ...]) -> None:
        """Raises NumArgumentsError or TypeError unless it can be called with these."""
        if len(args) < self.least or (self.most is not None and len(args) > self.most):
            raise errors.NumArgumentsError(
                f"function `{self.name}` takes {self._takes()}, but {len(args)} "
                f"{'was' if len(args) == 1 else 'were'} given"
            )
        for number, (kinds, value) in enumerate(zip(self._kinds, args, strict=False), 1):
            if kinds and type(value) not in kinds:
                raise errors.TypeError(
                    f"function `{self.name}` expects argument {number} to be of type "
                    f"{_either(kinds)}, not `{type_name(value)}`"
                )

    def _takes(self) -> str:
        if self.most is None:
            return f"at least {_arguments(self.least)}"
        if self.least == self.most:
            return _arguments(self.most)
        return f"{self.least} to {_arguments(self.most)}"


def _arguments(count: int) -> str:
    return f"{count} argument{'' if count == 1 else 's'}"


def _kinds(annotation: str | None) -> frozenset[type]:
    """The types an annotation names; none of them for one that takes everything."""
    if annotation is None or annotation == "Value":
        return frozenset()
    return frozenset(kind for name in annotation.split(" | ") for kind in _TYPES[name])


def _either(kinds: frozenset[type]) -> str:
    names = sorted(f"`{TYPE_NAMES[kind]}`" for kind in kinds)
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


FUNCTIONS: dict[str, Builtin] = {}
METHODS: dict[type, dict[str, Builtin]] = {kind: {} for kinds in _TYPES.values() for kind in kinds}
METHODS[list] = METHODS[dict] = {}

Function = TypeVar("Function", bound=Callable[..., Any])


def function(call: Function) -> Function:
    """Makes it a function of every scope."""
    builtin = Builtin(call)
    FUNCTIONS[builtin.name] = builtin
    return call


def method(*kinds: type) -> Callable[[Function], Function]:
    """Makes it a method of values of these types."""

    def declare(call: Function) -> Function:
        builtin = Builtin(call, first=2)
        for kind in kinds:
            METHODS[kind][builtin.name] = builtin
        return call

    return declare

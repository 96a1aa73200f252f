"""`rows_as`: what the rows of a statement are returned as.

    None             tuples. What a row factory of the connection makes stays as it is.
    tuple            tuples
    dict             dicts by the names of the columns
    a TypedDict      dicts by the names of the columns, which must be the type's keys
    a class          its instances: a dataclass, a NamedTuple, or any class with parameters named like columns
    a function       what it returns; it is called with the columns as keywords: `lambda login, name: …`

The values are the driver's. Their types are not compared with the annotations.

psycopg's row factories are tuple_row, dict_row, class_row and kwargs_row. args_row and scalar_row are lambdas
here: `rows_as=lambda login: login` gives the values of the only column.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from keyword import iskeyword
from typing import Any, TypeVar, get_args, get_origin, get_type_hints, overload

from ...errors import InvalidInput

__all__ = ["Row", "check_rows_as", "convert_rows", "row_maker"]

Row = TypeVar("Row")
"""What one row becomes. `rows_as: type[Row] | Callable[..., Row]` gives `list[Row]`."""

_BUILT_IN = frozenset({"builtins", "datetime", "decimal", "uuid", "collections"})


def check_rows_as(rows_as: Any) -> None:
    """Check an argument `rows_as`, before a statement is sent.

    Raises:
        InvalidInput: it is nothing that rows can be returned as.
    """
    kind = get_origin(rows_as) or rows_as
    if kind is not None and kind is not tuple and kind is not dict and not _is_typed_dict(kind):
        _parameters_of(kind)


@overload
def convert_rows(rows_as: None, description: Any, rows: Sequence[Any]) -> list[tuple[Any, ...]]: ...
@overload
def convert_rows(
    rows_as: type[Row] | Callable[..., Row], description: Any, rows: Sequence[Any]
) -> list[Row]: ...
def convert_rows(rows_as: Any, description: Any, rows: Sequence[Any]) -> list[Any]:
    """The rows that `fetchall` or `fetchmany` returned, converted. See `row_maker`."""
    make = row_maker(rows_as, description)
    if make is None:
        return list(rows)
    if rows_as is not None and rows and isinstance(rows[0], Mapping):
        # A row factory of the connection made dicts, such as PyMySQL's DictCursor.
        rows = [tuple(row.values()) for row in rows]
    return list(map(make, rows))


def row_maker(rows_as: Any, description: Sequence[Sequence[Any]] | None) -> Callable[[Any], Any] | None:
    """A function that converts one row of a statement.

    Args:
        rows_as: see above.
        description: the cursor's `description`: a sequence for each column, which begins with its name.

    Returns:
        None if the statement has no rows, and there is nothing to convert.

    Raises:
        InvalidInput: the columns do not fit: some are missing, or not known, or have the same name.
    """
    if description is None:
        return None
    kind = get_origin(rows_as) or rows_as
    if kind is None:
        return _plain
    if kind is tuple:
        return tuple
    names = tuple(column[0] for column in description)
    _check_names(names)
    if kind is dict:
        return _dict_maker(names)
    if _is_typed_dict(kind):
        fields = _keys_of(kind)
        fields.check(names)
        return _dict_maker(names)
    fields = _parameters_of(kind)
    fields.check(names)
    make: Callable[[Any], Any] = _compile(_call_source(fields, names))(kind)
    return make


def _plain(row: Any) -> Any:
    return tuple(row) if type(row) is list else row  # pg8000 returns lists


def _check_names(names: tuple[str, ...]) -> None:
    if len(set(names)) != len(names):
        twice = ", ".join(sorted({name for name in names if names.count(name) > 1}))
        raise InvalidInput(f"several columns are called {twice}; give each a name of its own with AS")


# -- what a type asks for


@dataclass(frozen=True)
class _Fields:
    """The names that a type or function takes.

    Attributes:
        owner: what errors call it.
        required: the names that must be there, in order.
        known: all names, in order.
        positional: how many of them may be given by position.
        takes_any: whether it takes other names, too.
    """

    owner: str
    required: tuple[str, ...]
    known: tuple[str, ...]
    positional: int = 0
    takes_any: bool = False

    def check(self, names: tuple[str, ...]) -> None:
        """Raise InvalidInput if columns of these names do not fit."""
        missing = [name for name in self.required if name not in names]
        unknown = [] if self.takes_any else [name for name in names if name not in self.known]
        if not missing and not unknown:
            return
        said = [f"needs {', '.join(missing)}"] if missing else []
        said += [f"has no {', '.join(unknown)}"] if unknown else []
        raise InvalidInput(
            f"{self.owner} {' and '.join(said)}; the statement's columns are {', '.join(names) or 'none'}, "
            f"and {self.owner} takes {', '.join(self.known) or 'none'}"
        )


def _is_typed_dict(kind: Any) -> bool:
    # not typing.is_typeddict, as typing_extensions has a TypedDict of its own
    return isinstance(kind, type) and issubclass(kind, dict) and hasattr(kind, "__required_keys__")


@lru_cache(maxsize=256)
def _keys_of(kind: Any) -> _Fields:
    required = set(kind.__required_keys__)
    try:
        hints = get_type_hints(kind, include_extras=True)
    except (NameError, TypeError):  # an annotation that cannot be evaluated here
        hints = {}
    for name, hint in hints.items():
        # Annotations that are text, as after `from __future__ import annotations`, hide these marks from
        # __required_keys__.
        marks = _marks_of(hint)
        if "NotRequired" in marks:
            required.discard(name)
        elif "Required" in marks:
            required.add(name)
    known = tuple(kind.__annotations__) if not hints else tuple(hints)
    return _Fields(kind.__qualname__, tuple(name for name in known if name in required), known)


def _marks_of(hint: Any) -> set[str]:
    marks = set()
    while (origin := get_origin(hint)) is not None and (mark := getattr(origin, "_name", None)):
        marks.add(mark)
        hint = get_args(hint)[0]
    return marks


def _parameters_of(kind: Any) -> _Fields:
    # Functions are not remembered: a lambda of each call would be kept, with all that it refers to.
    return _read_class(kind) if isinstance(kind, type) else _read_parameters(kind)


def _read_parameters(kind: Any) -> _Fields:
    if not callable(kind):
        raise InvalidInput(
            f"rows_as is {_show(kind)}; give tuple, dict, a dataclass, a TypedDict, a NamedTuple, "
            "or a function that takes the columns as keywords"
        )
    if isinstance(kind, type) and kind.__module__ in _BUILT_IN:
        raise InvalidInput(
            f"rows_as is {kind.__qualname__}, which has no columns; for the values of one column write "
            "rows_as=lambda name: name"
        )
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (ValueError, TypeError):
        raise InvalidInput(
            f"rows_as is {_show(kind)}, whose parameters cannot be found out; wrap it in a lambda"
        ) from None
    if any(part.kind is part.POSITIONAL_ONLY and part.default is part.empty for part in parameters):
        raise InvalidInput(
            f"rows_as is {_show(kind)}, which takes arguments by position only; columns are given by name"
        )
    by_position = [part for part in parameters if part.kind is part.POSITIONAL_OR_KEYWORD]
    by_keyword = [part for part in parameters if part.kind is part.KEYWORD_ONLY]
    named = by_position + by_keyword
    return _Fields(
        owner=_show(kind),
        required=tuple(part.name for part in named if part.default is part.empty),
        known=tuple(part.name for part in named),
        positional=0 if any(part.kind is part.POSITIONAL_ONLY for part in parameters) else len(by_position),
        takes_any=any(part.kind is part.VAR_KEYWORD for part in parameters),
    )


_read_class = lru_cache(maxsize=256)(_read_parameters)


def _show(kind: Any) -> str:
    name = getattr(kind, "__qualname__", None) or repr(kind)
    return "the function" if name.endswith("<lambda>") else str(name)


# -- functions made for the columns of a statement


def _dict_maker(names: tuple[str, ...]) -> Callable[[Any], dict[str, Any]]:
    make: Callable[[Any], dict[str, Any]] = _compile(_dict_source(names))(None)
    return make


def _dict_source(names: tuple[str, ...]) -> str:
    return f"{{{', '.join(f'{name!r}: row[{at}]' for at, name in enumerate(names))}}}"


def _call_source(fields: _Fields, names: tuple[str, ...]) -> str:
    """The call, with all arguments by position up to the first that no column gives, as that is faster."""
    at = {name: index for index, name in enumerate(names)}
    arguments = []
    for name in fields.known[: fields.positional]:
        if name not in at:
            break
        arguments.append(f"row[{at.pop(name)}]")
    # A name that is no plain identifier stays a string, as Python would read another name or an error.
    arguments += [f"{name}=row[{index}]" for name, index in at.items() if _is_plain(name)]
    others = {name: index for name, index in at.items() if not _is_plain(name)}
    if others:
        arguments.append("**{" + ", ".join(f"{name!r}: row[{index}]" for name, index in others.items()) + "}")
    return f"make({', '.join(arguments)})"


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isidentifier() and not iskeyword(name)


@lru_cache(maxsize=512)
def _compile(expression: str) -> Callable[[Any], Any]:
    """A function that takes `make`, and returns a function of `row` that has this expression as its value.

    A compiled expression takes half the time of `dict(zip(names, row))`, and a third of `make(**dict(…))`.
    It contains names of columns, as string literals or as identifiers, and nothing else from outside.
    """
    function: Callable[[Any], Any] = eval(f"lambda make: lambda row: {expression}", {"__builtins__": {}})
    return function

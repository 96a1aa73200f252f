"""The types of the language's values.

nil, bool, int, float, str, bytes, tuple and aware datetime are Python's own types. The other types are the
classes here. A value is true in the language if it is true in Python. A plain list or dict is what the
language calls mpdata: information that is passed on unchanged.

Lists, sets and things are passed by reference. A list or set is copied when it becomes a property (see
`owned`), and becomes a tuple when it becomes an item of a list.
"""

from __future__ import annotations

import weakref
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import re2

from .....wire.things import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "ARRAYS",
    "INTEGERS",
    "MOMENTS",
    "NUMBERS",
    "TEXTS",
    "TYPE_NAMES",
    "Closure",
    "Failure",
    "Formatter",
    "List",
    "Regex",
    "Room",
    "Thing",
    "ThingSet",
    "Timeval",
    "Value",
    "frozen",
    "owned",
    "type_name",
]

Value: TypeAlias = Any
"""Any value of the language."""


class Thing:
    """Named values, in the order in which they were added.

    Attributes:
        id: its number in the collection, None while nothing stored refers to it.
        props: the values by name. Change them through the collection, which keeps the journal.
        in_use: whether code is iterating over it or changing it: then nothing else may change it.
    """

    __slots__ = ("__weakref__", "id", "in_use", "props")

    def __init__(self, props: dict[str, Value] | None = None, id: int | None = None) -> None:
        self.id = id
        self.in_use = False
        self.props: dict[str, Value] = {} if props is None else props

    def __bool__(self) -> bool:
        return bool(self.props)

    def __repr__(self) -> str:
        return f"<thing {self.id or 'not stored'}>"


class Room:
    """A room, which clients join.

    Attributes:
        id: None until it is stored.
        name: unique in the collection, or None.
    """

    __slots__ = ("__weakref__", "id", "name")

    def __init__(self, id: int | None = None, name: str | None = None) -> None:
        self.id = id
        self.name = name

    def __bool__(self) -> bool:
        return self.id is not None

    def __str__(self) -> str:
        return f"room:{'nil' if self.id is None else self.id}"


class List(list[Value]):
    """A list that can change.

    Attributes:
        owner: the thing whose property it is, None if it is no property.
        in_use: as for a Thing.
    """

    __slots__ = ("in_use", "owner")

    def __init__(self, items: Iterable[Value] = ()) -> None:
        super().__init__(items)
        self.in_use = False
        self.owner: weakref.ref[Thing] | None = None


class ThingSet(dict[Thing, None]):
    """A set of things, in the order in which they were added. `owner` and `in_use` are as for a List."""

    __slots__ = ("in_use", "owner")

    def __init__(self, things: Iterable[Thing] = ()) -> None:
        super().__init__(dict.fromkeys(things))
        self.in_use = False
        self.owner: weakref.ref[Thing] | None = None


class Formatter(NamedTuple):
    """Rewrites the source of a closure: without white space, or laid out for people."""

    compact: Callable[[str], str]
    format: Callable[[str], str]


class Closure:
    """A function in the language. It captures nothing: variables are looked up when it is called.

    Attributes:
        names: its parameters.
        body: its compiled code, a function of the Run.
        source: its text as it was written, and as it is stored.
        doc: the string that its block begins with, or "".
        has_side_effects: whether it may change something stored, as far as its text shows.
        bound: whether only the query that contains it refers to it. It ends when the closure becomes an item,
            a property or a procedure.
    """

    __slots__ = ("_definition", "_formatter", "body", "bound", "doc", "has_side_effects", "names", "source")

    def __init__(
        self,
        names: tuple[str, ...],
        body: Callable[[Any], Value],
        source: str,
        formatter: Formatter,
        doc: str = "",
        has_side_effects: bool = False,
    ) -> None:
        self.names = names
        self.body = body
        self.source = source
        self._formatter = formatter
        self.doc = doc
        self.has_side_effects = has_side_effects
        self.bound = True
        self._definition = ""

    def copy(self) -> Closure:
        """Return a closure that is equal, and bound."""
        made = Closure(self.names, self.body, self.source, self._formatter, self.doc, self.has_side_effects)
        made._definition = self._definition
        return made

    @property
    def text(self) -> str:
        """What a result shows: the source, without white space unless the closure is bound."""
        return self.source if self.bound else self._formatter.compact(self.source)

    @property
    def definition(self) -> str:
        """The source, laid out for people."""
        self._definition = self._definition or self._formatter.format(self.source)
        return self._definition

    @definition.setter
    def definition(self, text: str) -> None:
        self._definition = text


class Failure:
    """An error as a value: what `try` and `err` return."""

    __slots__ = ("code", "message")

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message

    def __bool__(self) -> bool:
        return False


class Regex:
    """A regular expression, which matches in time linear in the text.

    Attributes:
        text: its source: /…/ and its flags, any of i, s and m.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def pattern(self) -> Any:
        """The compiled pattern. Raises ValueError if the source is not valid."""
        source, _, flags = self.text[1:].rpartition("/")
        try:
            return re2.compile((f"(?{flags})" if flags else "") + source, _quiet())
        except re2.error as error:
            raise errors.ValueError(f"cannot compile regular expression '{self.text}', {error}") from None


class Timeval(datetime):
    """A datetime that a result shows as seconds since 1970."""


def _quiet() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


TYPE_NAMES: dict[type, str] = {
    type(None): "nil",
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    bytes: "bytes",
    tuple: "tuple",
    List: "list",
    ThingSet: "set",
    Thing: "thing",
    Room: "room",
    Closure: "closure",
    Failure: "error",
    Regex: "regex",
    datetime: "datetime",
    Timeval: "timeval",
    list: "mpdata",
    dict: "mpdata",
}


INTEGERS = frozenset({int, bool})
NUMBERS = frozenset({int, bool, float})
TEXTS = frozenset({str, bytes})
ARRAYS = frozenset({List, tuple})
MOMENTS = frozenset({datetime, Timeval})


def type_name(value: Value) -> str:
    """Return the name of the value's type, as `type(…)` and error messages say it."""
    return TYPE_NAMES[type(value)]


def frozen(value: Value) -> Value:
    """Return the value as an item of a list: a list or set becomes a tuple."""
    return tuple(value) if type(value) is List or type(value) is ThingSet else value


def owned(value: Value, thing: Thing) -> Value:
    """Return the value as a property of the thing: a list, tuple or set is copied, and owned by the thing."""
    if isinstance(value, (List, tuple)):
        value = List(value)
    elif isinstance(value, ThingSet):
        value = ThingSet(value)
    else:
        return value
    value.owner = weakref.ref(thing)
    return value

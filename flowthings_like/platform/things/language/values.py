"""The values of the language, and how Python's stand for them.

nil, bool, int, float, str and bytes are Python's own; a tuple is a tuple, a datetime an aware datetime. The
rest are the classes here. What Python takes for true is true in the language. A plain list or dict is what
the language calls mpdata: information that is handed on as it is.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import re2

from .... import things_errors as errors
from . import limits

if TYPE_CHECKING:
    from .run import Run

__all__ = [
    "MAX_NAME",
    "TYPE_NAMES",
    "Closure",
    "Failure",
    "List",
    "Regex",
    "Room",
    "Thing",
    "ThingSet",
    "Value",
    "equal",
    "frozen",
    "is_name",
    "load",
    "owned",
    "type_name",
]

Value: TypeAlias = Any
"""Any value of the language."""

MAX_NAME = 255
_NAME = re.compile(rf"[A-Za-z_][0-9A-Za-z_]{{0,{MAX_NAME - 1}}}")


class Thing:
    """Named values, in the order in which they came.

    Attributes:
        id: its number in the collection, None as long as nothing stored refers to it.
        props: the values by name. Change them through the collection, which keeps the journal.
    """

    __slots__ = ("__weakref__", "id", "props")

    def __init__(self, props: dict[str, Value] | None = None, id: int | None = None) -> None:
        self.id = id
        self.props: dict[str, Value] = {} if props is None else props

    def __bool__(self) -> bool:
        return bool(self.props)

    def __repr__(self) -> str:
        return f"<thing {self.id or 'not stored'}>"


class Room:
    """What clients join. `id` is None until it is stored; `name` is unique in the collection, or None."""

    __slots__ = ("__weakref__", "id", "name")

    def __init__(self, id: int | None = None, name: str | None = None) -> None:
        self.id = id
        self.name = name

    def __bool__(self) -> bool:
        return self.id is not None

    def __str__(self) -> str:
        return f"room:{'nil' if self.id is None else self.id}"


class List(list[Value]):
    """A list that may be changed. `owner` is the thing whose property it is, if it is one: a list is copied
    when a variable or another property is to hold it too."""

    __slots__ = ("owner",)

    def __init__(self, items: Iterable[Value] = ()) -> None:
        super().__init__(items)
        self.owner: weakref.ref[Thing] | None = None


class ThingSet(dict[Thing, None]):
    """Things, each once, in the order in which they came. `owner` as for a List."""

    __slots__ = ("owner",)

    def __init__(self, things: Iterable[Thing] = ()) -> None:
        super().__init__(dict.fromkeys(things))
        self.owner: weakref.ref[Thing] | None = None


class Closure:
    """Code that waits for its arguments. It captures nothing: a variable is looked up when it is called.

    Attributes:
        names: its parameters.
        body: what runs it.
        text: its source, by which it is stored.
        doc: what it says of itself: the string that its block begins with, or "".
    """

    __slots__ = ("body", "doc", "names", "text")

    def __init__(
        self, names: tuple[str, ...], body: Callable[[Run], Value], text: str, doc: str = ""
    ) -> None:
        self.names = names
        self.body = body
        self.text = text
        self.doc = doc


class Failure:
    """An error as a value: what `try` and `err` return."""

    __slots__ = ("code", "message")

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message

    def __bool__(self) -> bool:
        return False


class Regex:
    """A pattern, matched in time linear in the text. `text` is its source: /…/ or /…/i."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def pattern(self) -> Any:
        """The compiled pattern. Raises ValueError for one that is none."""
        source, _, flags = self.text[1:].rpartition("/")
        try:
            return re2.compile(("(?i)" if flags else "") + source, _quiet())
        except re2.error as error:
            raise errors.ValueError(f"{self.text} is no regular expression: {error}") from None


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
    list: "mpdata",
    dict: "mpdata",
}


def type_name(value: Value) -> str:
    """What `type(…)` says, and what the errors call a value."""
    return TYPE_NAMES[type(value)]


def is_name(text: str) -> bool:
    """Whether the text may name a variable, procedure or room."""
    return _NAME.fullmatch(text) is not None


def equal(a: Value, b: Value) -> bool:
    """The language's `==`: numbers by amount, lists and sets by their items, things and rooms by identity."""
    if a is b:
        return bool(a == a)  # all but nan
    if isinstance(a, (List, tuple)) and isinstance(b, (List, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, ThingSet):
        return isinstance(b, ThingSet) and dict.keys(a) == dict.keys(b)
    if isinstance(a, (Regex, Closure)):
        return type(a) is type(b) and a.text == b.text
    if isinstance(a, Failure):
        return isinstance(b, Failure) and a.code == b.code
    return bool(a == b)


def frozen(value: Value) -> Value:
    """The value as an item of a list: a list within a list is a tuple."""
    return tuple(value) if type(value) is List else value


def owned(value: Value, thing: Thing) -> Value:
    """The value as a property of the thing: a list, tuple or set becomes a list or set of the thing's own."""
    if isinstance(value, (List, tuple)):
        value = List(value)
    elif isinstance(value, ThingSet):
        value = ThingSet(value)
    else:
        return value
    value.owner = weakref.ref(thing)
    return value


def load(plain: Any, depth: int = 0) -> Value:
    """The value that plain data stand for: dicts become things, lists become lists.

    Raises:
        TypeError: a map has a key that is no string, or there is data the language has no type for.
        ValueError: a map has the key `#`, which is kept for ids; or they are nested too deep.
        OverflowError: an int has more than 64 bits.
    """
    kind = type(plain)
    if depth > limits.MAX_DEPTH:
        raise errors.ValueError(f"expected at most {limits.MAX_DEPTH} lists and maps within each other")
    if kind is list:
        return List([frozen(load(item, depth + 1)) for item in plain])
    if kind is dict:
        thing = Thing()
        for key, value in plain.items():
            thing.props[_key(key)] = owned(load(value, depth + 1), thing)
        return thing
    if kind is int and not -(1 << 63) <= plain < 1 << 63:
        raise errors.OverflowError(f"expected an int of 64 bits, not {plain}")
    if kind not in TYPE_NAMES:
        raise errors.TypeError(
            f"expected nil, bool, int, float, str, bytes, list or map, not {kind.__name__}"
        )
    return plain


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise errors.TypeError(f"expected a map with keys of type str, not {type(key).__name__}")
    if key == "#":
        raise errors.ValueError("expected another key than `#`: it is kept for the ids of things")
    return key

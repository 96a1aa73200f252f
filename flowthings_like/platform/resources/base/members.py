"""Checks of members' values, for the declarations of resources.

A check takes the member's name and the value sent, and returns the value to store or raises BadRequest saying
what would be right. A member that is sent as null is removed. Members without a check are stored as they are,
so that a client may add its own (query.misspellings refuses those that are typing errors).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from ....errors import InvalidInput
from ....filters.predicate import compile_predicate
from ...ids import is_id
from ...json_schema import ANYTHING, Check, accepts, id_of
from ...problems import BadRequest
from ..query.query import parse_filter

LARGEST = 256 * 1024
"""Most bytes of JSON in one resource."""
DEEPEST = 64
"""Most levels of lists and maps within each other in one resource."""


def checked(
    model: Mapping[str, Any], checks: Mapping[str, Check], required: Iterable[str] = ()
) -> dict[str, Any]:
    """`model` with every member checked and nulls left out.

    Raises:
        BadRequest: a required member is missing, a member is not what it must be, or the whole is too large
            or too deep.
    """
    document = {}
    for name, value in model.items():
        if value is None:
            continue
        check = checks.get(name)
        document[name] = value if check is None else check(name, value)
    for name in required:
        if name not in document:
            raise BadRequest(f"{name} is required")
    _bound(document)
    return document


@accepts(ANYTHING)
def anything(_name: str, value: Any) -> Any:
    """Whatever the writer sends."""
    return value


def text(longest: int = 2048) -> Check:
    """A string of at most `longest` characters."""

    @accepts({"type": "string", "maxLength": longest})
    def check(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise BadRequest(f"{name} must be a string, not {_kind(value)}")
        if len(value) > longest:
            raise BadRequest(f"{name} has {len(value)} characters: {longest} is the most")
        return value

    return check


def filled(longest: int = 2048) -> Check:
    """A string that is not blank."""
    within = text(longest)

    @accepts({"type": "string", "maxLength": longest, "pattern": r"\S"})
    def check(name: str, value: Any) -> str:
        string: str = within(name, value)
        if not string.strip():
            raise BadRequest(f"{name} must not be empty")
        return string

    return check


@accepts({"type": "boolean"})
def flag(name: str, value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise BadRequest(f"{name} must be true or false, not {_kind(value)}")
    return value


@accepts({"type": "object"})
def mapping(name: str, value: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise BadRequest(f"{name} must be a map, not {_kind(value)}")
    return value


def integer(least: int, most: int = 2**53) -> Check:
    """A whole number from `least` to `most`; a string of digits is taken for one, as old clients send it."""

    number_schema = {"type": "integer", "minimum": least, "maximum": most}

    @accepts({"anyOf": [number_schema, {"type": "string", "pattern": "^-?[0-9]{1,18}$"}]}, number_schema)
    def check(name: str, value: Any) -> int:
        number = value
        if isinstance(number, str):
            number = int(number) if re.fullmatch(r"-?[0-9]{1,18}", number) else None
        elif isinstance(number, float):
            number = int(number) if number.is_integer() else None
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            raise BadRequest(f"{name} must be a whole number from {least} to {most}, not {_shown(value)}")
        return number

    return check


def one_of(*choices: Any) -> Check:
    """One of these values."""

    @accepts({"enum": list(choices)})
    def check(name: str, value: Any) -> Any:
        if isinstance(value, bool) or value not in choices:
            raise BadRequest(f"{name} must be one of {', '.join(map(str, choices))}, not {_shown(value)}")
        return value

    return check


@accepts({"type": "string", "description": "a text of the filter language"})
def filter_text(name: str, value: Any) -> str:
    """A filter that parses and can be run here; the empty text means none and reads back as it is."""
    node = parse_filter(value, name)
    if node is not None:
        try:
            compile_predicate(node)  # a pattern or a zip code may parse and still have no meaning here
        except InvalidInput as error:
            raise BadRequest(f"{name}: {error}") from None
    text: str = value
    return text


def ids(letters: str) -> Check:
    """A list of ids whose type letter is one of `letters`."""
    one = identifier(letters)

    @accepts({"type": "array", "items": id_of(letters)})
    def check(name: str, value: Any) -> list[str]:
        if not isinstance(value, list):
            raise BadRequest(f"{name} must be a list of ids, not {_kind(value)}")
        return [one(f"{name}[{index}]", each) for index, each in enumerate(value)]

    return check


def identifier(letters: str) -> Check:
    """An id whose type letter is one of `letters`."""

    @accepts(id_of(letters))
    def check(name: str, value: Any) -> str:
        if not is_id(value) or value[0] not in letters:
            kinds = " or ".join(f"{letter}…" for letter in letters)
            raise BadRequest(f"{name} must be an id ({kinds}, 25 characters), not {_shown(value)}")
        return str(value)

    return check


def _bound(document: dict[str, Any]) -> None:
    layer: list[Any] = [document]
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for value in layer:
            inner.extend(value.values() if isinstance(value, dict) else value)
        layer = [value for value in inner if isinstance(value, (dict, list))]
        if not layer:
            break
    else:
        raise BadRequest(f"lists and maps lie more than {DEEPEST} levels deep")
    size = len(orjson.dumps(document))
    if size > LARGEST:
        raise BadRequest(f"the resource comes to {size} bytes of JSON: {LARGEST} is the most")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    names = {int: "a number", float: "a number", str: "a string", list: "a list", dict: "a map"}
    return names.get(type(value), type(value).__name__)


def _shown(value: Any) -> str:
    if isinstance(value, (bool, int, float)):
        return orjson.dumps(value).decode()
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:60] + "…")
    return _kind(value)

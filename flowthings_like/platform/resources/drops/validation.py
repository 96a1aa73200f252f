"""Validation of drops: what a writer sent, checked and turned into what is stored. No database here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ...ids import LATEST
from ...problems import BadRequest, TooLarge
from . import elements

LARGEST = 1024 * 1024
"""Most bytes of one drop's elements as JSON."""

LONGEST_FHASH = 1024
"""Most characters of an fhash."""

SET_BY_PLATFORM = frozenset(
    ("id", "flowId", "path", "creatorId", "version", "lastEditDate", "lastEditorId", "parentDropId")
)
"""Members that the platform sets. Clients send whole drops back; these members are ignored then."""

SET_BY_WRITER = ("elems", "fhash", "location", "creationDate")
"""The members of a new drop or of an update. Others are refused."""

DEGREES = {"lat": 90, "lon": 180}
"""The coordinates of a location, and how far they may be from 0."""

SPECIFIERS = ("city", "zip", "street", "state")
"""What a location may say besides its coordinates."""


@dataclass(slots=True)
class ValidatedDrop:
    """A new drop, checked. The `_text` attributes are JSON, ready to be stored; None where absent.

    `id` is given when the drop is first written.
    """

    elems: dict[str, Any]
    elems_text: str
    types: dict[str, str] | None
    types_text: str | None
    location: dict[str, Any] | None
    location_text: str | None
    fhash: str | None
    created: int | None
    id: str | None = None


def validated(model: Any) -> ValidatedDrop:
    """A new drop's model, checked.

    Args:
        model: a map with `elems` and, if wanted, `fhash` (a name unique within the flow), `location` and
            `creationDate` (ms since the epoch; for history that is filled in later).

    Raises:
        BadRequest, TooLarge: saying which member is wrong and what would be right.
    """
    _check_members(model)
    if "elems" not in model:
        raise BadRequest('elems is required: a map such as {"temp": 39.5}')
    elems, types = elements.accept(model["elems"])
    location = check_location(model.get("location"))
    created = model.get("creationDate")
    if created is not None and (type(created) is not int or not 0 <= created <= LATEST):
        raise BadRequest(
            f"creationDate must be whole milliseconds since the epoch, 0 to {LATEST}, not {created!r}"
        )
    return ValidatedDrop(
        elems,
        elems_text(elems),
        types,
        None if types is None else orjson.dumps(types).decode(),
        location,
        None if location is None else orjson.dumps(location).decode(),
        check_fhash(model.get("fhash")),
        created,
    )


def changes(model: Any) -> dict[str, Any]:
    """An update's model, checked: the members that it changes, as columns and values of the drops' table.

    Raises:
        BadRequest, TooLarge: saying which member is wrong and what would be right.
    """
    _check_members(model)
    columns: dict[str, Any] = {}
    if "elems" in model:
        elems, types = elements.accept(model["elems"])
        columns["elems"] = elems_text(elems)
        columns["types"] = None if types is None else orjson.dumps(types).decode()
    if "location" in model:
        location = check_location(model["location"])
        columns["location"] = None if location is None else orjson.dumps(location).decode()
    if "fhash" in model:
        columns["fhash"] = check_fhash(model["fhash"])
    return columns


def elems_text(elems: Mapping[str, Any]) -> str:
    """Plain elements as JSON text. Raises TooLarge, and BadRequest for text that is no Unicode."""
    try:
        raw = orjson.dumps(elems)
    except TypeError as error:
        raise BadRequest(f"elems: {error}") from error
    if len(raw) > LARGEST:
        raise TooLarge(f"elems come to {len(raw)} bytes of JSON: {LARGEST} is the most")
    return raw.decode()


def check_fhash(fhash: Any) -> str | None:
    """The fhash itself, None for none. Raises BadRequest."""
    if fhash is None:
        return None
    if not isinstance(fhash, str) or not 0 < len(fhash) <= LONGEST_FHASH or not _is_unicode(fhash):
        raise BadRequest(f"fhash must be a string of 1 to {LONGEST_FHASH} characters")
    return fhash


def check_location(location: Any) -> dict[str, Any] | None:
    """The location itself, None for none. Raises BadRequest.

    A location is {lat, lon} in degrees, and if wanted `specifiers`: city, zip, street, state.
    """
    if location is None:
        return None
    example = 'such as {"lat": 40.64, "lon": -73.78}'
    if not isinstance(location, dict):
        raise BadRequest(f"location must be a map {example}")
    if unknown := sorted(str(name) for name in location.keys() - {"lat", "lon", "specifiers"}):
        raise BadRequest(f"location has no member {unknown[0]!r}: there are lat, lon and specifiers")
    for name, bound in DEGREES.items():
        degrees: Any = location.get(name)
        if type(degrees) not in (int, float) or not math.isfinite(degrees) or abs(degrees) > bound:
            raise BadRequest(f"location.{name} must be a number of degrees, -{bound} to {bound}, {example}")
    specifiers = location.get("specifiers", {})
    if not isinstance(specifiers, dict) or specifiers.keys() - set(SPECIFIERS):
        raise BadRequest(f"location.specifiers must be a map of {', '.join(SPECIFIERS)}")
    for name, text in specifiers.items():
        if text is not None and not (isinstance(text, str) and _is_unicode(text)):
            raise BadRequest(f"location.specifiers.{name} must be a string")
    return dict(location)


def _check_members(model: Any) -> None:
    if not isinstance(model, dict):
        raise BadRequest('a drop must be a map such as {"elems": {"temp": 39.5}}')
    for name in model:
        if name not in SET_BY_PLATFORM and name not in SET_BY_WRITER:
            known = ", ".join(SET_BY_WRITER)
            raise BadRequest(f"a drop has no member {name!r}: you may set {known}; values go within elems")


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True

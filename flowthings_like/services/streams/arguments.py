"""Checks and converts the arguments of streams: identities, tags, annotations, versions, merge policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from ...errors import InvalidInput
from ...transport.outgoing_values import resolve, to_send
from ...transport.outgoing_values import text as to_text
from ...wire.btrdb.errors import BTRDBTypeError, BTRDBValueError, InvalidCollection
from ...wire.numpy_values import scalar

__all__ = [
    "MERGE_POLICIES",
    "AnnotationDecoder",
    "AnnotationEncoder",
    "check_collection",
    "check_merge",
    "check_version",
    "check_width",
    "decode_annotation",
    "encode_annotation",
    "encode_annotations",
    "to_tags",
    "to_uuid",
]

MERGE_POLICIES = ("never", "equal", "retain", "replace")
"""In the order of their numbers in the protocol."""

LONGEST_COLLECTION = 255
"""Bytes in the name of a collection."""

_MOST_VERSION = 2**64 - 1


def to_uuid(value: Any) -> UUID:
    """Convert to a UUID: a UUID, its text in any spelling, or 16 bytes.

    Raises:
        BTRDBTypeError: it is none of these.
    """
    value = resolve(value)
    if isinstance(value, UUID):
        return value
    try:
        if isinstance(value, bytes):
            return UUID(bytes=value) if len(value) == 16 else UUID(value.decode("ascii"))
        if isinstance(value, str):
            return UUID(value.strip())
    except ValueError:
        pass
    shown = f"{value[:60]!r}" if isinstance(value, str | bytes) else type(value).__name__
    raise BTRDBTypeError(f"{shown} is not a UUID; give a uuid.UUID, or its text")


def check_collection(value: Any, *, is_prefix: bool = False) -> str:
    """Check the name of a collection, or a prefix of names, which may be empty.

    Raises:
        InvalidCollection: it is empty, longer than 255 bytes, or has a NUL.
    """
    value = resolve(value)
    if isinstance(value, bytes):
        value = to_text(value, "collection") if value else ""
    if not isinstance(value, str):
        raise BTRDBTypeError(f"a collection is a str, not {type(value).__name__}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidCollection(
            "the collection's name has a lone surrogate, which is no Unicode text"
        ) from None
    if size > LONGEST_COLLECTION or "\0" in value or not (value or is_prefix):
        raise InvalidCollection(
            f"the name of a collection has 1 to {LONGEST_COLLECTION} bytes, and no NUL; this one has {size}"
        )
    return value


def to_tags(tags: Any, *, allows_none: bool = False) -> dict[str, str | None]:
    """Check tags, a mapping of str to str.

    Args:
        allows_none: None is a value too, which stands for any.

    Raises:
        BTRDBTypeError: it is something else.
    """
    found: dict[str, str | None] = {}
    for key, value in _items(tags, "tags"):
        value = resolve(value)
        if isinstance(value, bytes):
            value = to_text(value, f"tag {key!r}") if value else ""
        if not isinstance(value, str) and not (value is None and allows_none):
            raise BTRDBTypeError(f"the value of tag {key!r} is {type(value).__name__}; give a str")
        found[key] = value
    return found


class AnnotationEncoder(json.JSONEncoder):
    """Encodes the value of an annotation as text, so that `AnnotationDecoder` gives back an equal one.

    A str is kept as it is, for other clients to read, unless it could be mistaken for JSON.
    """

    def encode(self, o: Any) -> str:
        """The text for a value."""
        if isinstance(o, str):
            try:
                _parse(o)
            except ValueError:
                return o
        return super().encode(o)

    def default(self, o: Any) -> Any:
        """UUIDs, times, Decimals and filters become text, numpy's scalars numbers; else a TypeError."""
        found = scalar(to_send(o))
        if found is not o:
            return found
        if isinstance(o, UUID | Decimal):
            return str(o)
        return o.isoformat() if isinstance(o, date | time) else super().default(o)


class AnnotationDecoder(json.JSONDecoder):
    """Decodes the text of an annotation: JSON if it is JSON, else the text itself."""

    def decode(self, s: str, *args: Any) -> Any:
        """The value of a text."""
        return decode_annotation(s)


def decode_annotation(text: str) -> Any:
    """The value of the text of an annotation."""
    try:
        return _parse(text)
    except ValueError:
        return text


def encode_annotation(value: Any, encoder: type[json.JSONEncoder] | None = AnnotationEncoder) -> str:
    """The text of the value of an annotation. Without an encoder, the value must be text already."""
    value = scalar(to_send(value))
    if encoder is None:
        return to_text(value, "the annotation") if value != "" else ""
    try:
        return encoder(allow_nan=False).encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise BTRDBValueError(f"an annotation cannot be written as JSON: {error}") from None


def encode_annotations(
    annotations: Any,
    encoder: type[json.JSONEncoder] | None = AnnotationEncoder,
    *,
    allows_none: bool = False,
) -> dict[str, str | None]:
    """Encode annotations, a mapping of str to values.

    Args:
        allows_none: None stands for any value, not for JSON's null.
    """
    found: dict[str, str | None] = {}
    for key, value in _items(annotations, "annotations"):
        is_any = allows_none and resolve(value) is None
        found[key] = None if is_any else encode_annotation(value, encoder)
    return found


def check_version(version: Any, what: str = "version") -> int:
    """Check the version of a stream: 0 for the latest, or a number.

    Raises:
        BTRDBTypeError, InvalidInput: it is not.
    """
    version = scalar(resolve(version))
    if isinstance(version, bool) or not isinstance(version, int):
        raise BTRDBTypeError(f"{what} is {type(version).__name__}; give a whole number, 0 for the latest")
    if not 0 <= version <= _MOST_VERSION:
        raise InvalidInput(f"{what} is {version}; give 0 for the latest version, or its number")
    return version


def check_width(width: Any) -> int:
    """Check the width of windows, in nanoseconds.

    Raises:
        BTRDBTypeError, BTRDBValueError: it is not a whole number above 0.
    """
    width = scalar(resolve(width))
    if isinstance(width, float) and width.is_integer():
        width = int(width)
    if isinstance(width, bool) or not isinstance(width, int):
        raise BTRDBTypeError(f"the width of windows is {type(width).__name__}; give nanoseconds as an int")
    if not 0 < width < 2**63:
        raise BTRDBValueError(f"the width of windows is {width}; give nanoseconds, 1 or more")
    return width


def check_merge(merge: Any) -> int:
    """The number of a merge policy.

    Raises:
        BTRDBValueError: there is no such policy.
    """
    merge = resolve(merge)
    if merge not in MERGE_POLICIES:
        raise BTRDBValueError(f"merge is {merge!r}; give one of {', '.join(map(repr, MERGE_POLICIES))}")
    return MERGE_POLICIES.index(merge)


def _items(mapping: Any, what: str) -> list[tuple[str, Any]]:
    mapping = resolve(mapping)
    if mapping is None:
        return []
    if not isinstance(mapping, Mapping):
        raise BTRDBTypeError(f"{what} is {type(mapping).__name__}; give a dict")
    for key in mapping:
        if not isinstance(key, str) or not key:
            raise BTRDBTypeError(f"{what} has the key {key!r}; keys are str")
    return list(mapping.items())


def _parse(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)  # NaN and Infinity, which Python reads and JSON does not have

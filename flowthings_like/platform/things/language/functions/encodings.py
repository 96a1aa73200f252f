"""Functions that encode and decode: JSON and base64."""

from __future__ import annotations

import base64
import binascii
import json
from math import isfinite
from typing import TYPE_CHECKING, Any

from .....wire.things import errors
from ..runtime.builtin import function
from ..values.plain import load, result_depth, serialise, shows_ids
from ..values.types import List, Thing, Value

if TYPE_CHECKING:
    from ..runtime.run import Run

_MAX_DEPTH = 128
"""Levels of nested lists and maps in JSON."""


@function
def json_dump(run: Run, value: Value, options: Thing | None = None) -> str:
    """Return the value as JSON. The options are deep, flags and beautify."""
    deep, ids, beautify = 1, True, False
    for name, option in options.props.items() if options else ():
        if name == "deep":
            deep = result_depth(option)
        elif name == "flags":
            ids = shows_ids(option)
        elif name == "beautify":
            beautify = bool(option)
        else:
            raise errors.LookupError(f"invalid option `{name}` for function `json_dump`")
    plain = serialise(value, deep, ids, run.spend)
    _check(plain, 0)
    if beautify:
        return json.dumps(plain, indent=4, ensure_ascii=False) + "\n"
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def _check(plain: Any, depth: int) -> None:
    """Raise TypeError, ValueError or OperationError if JSON cannot represent the value."""
    if type(plain) is bytes:
        raise errors.TypeError("type `bytes` is not JSON serializable")
    if type(plain) is float and not isfinite(plain):
        raise errors.ValueError("JSON has no `nan` and no `inf`")
    if type(plain) in (list, dict):
        if depth == _MAX_DEPTH:
            raise errors.OperationError("JSON max depth exceeded")
        for inner in plain.values() if type(plain) is dict else plain:
            _check(inner, depth + 1)


@function
def json_load(run: Run, text: str) -> Value:
    """Return the value of a JSON text; nil for an empty text."""
    if not text.strip():
        return None
    run.spend(
        text.count(",") + text.count("[") + text.count("{")
    )  # at least the number of its values, before they are made
    try:
        plain = json.loads(text)
        json.dumps(
            plain, ensure_ascii=False
        ).encode()  # an escape may be a lone surrogate, which is no character
    except RecursionError:
        raise errors.OperationError("JSON max depth exceeded") from None
    except ValueError as error:
        raise errors.ValueError(f"expected JSON: {error}") from None
    _check_depth(plain, 0)
    value = load(plain)
    return run.items(value) if type(value) is List else run.item(value)


def _check_depth(plain: Any, depth: int) -> None:
    if type(plain) in (list, dict):
        if depth == _MAX_DEPTH - 1:
            raise errors.OperationError("JSON max depth exceeded")
        for inner in plain.values() if type(plain) is dict else plain:
            _check_depth(inner, depth + 1)


@function
def base64_encode(run: Run, value: str | bytes) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


@function
def base64_decode(run: Run, value: str | bytes) -> bytes:
    """Decode base64. The padding may be left out."""
    raw = value.encode() if isinstance(value, str) else value
    try:
        return base64.b64decode(raw.rstrip(b"=") + b"=" * (-len(raw.rstrip(b"=")) % 4), validate=True)
    except binascii.Error:
        raise errors.ValueError("expected text in base64") from None

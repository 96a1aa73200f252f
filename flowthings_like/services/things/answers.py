"""Decodes a node's answers to values and errors, and keeps a body that does not decode in a file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ...errors import InvalidResponse
from ...wire.things import errors as things_errors
from ...wire.things.packages import Kind, Package
from ...wire.things.values import UnpackError, unpack

__all__ = ["decode", "error_in", "set_package_fail_file", "value_of"]

_log = logging.getLogger("flowthings_like")
_ERROR = int(Kind.ERROR)
_DATA = int(Kind.DATA)
_OK = int(Kind.OK)
_fail_file = ""


def set_package_fail_file(fn: str = "") -> None:
    """Name a file for the body of a package that does not decode. It counts for all clients of this process.

    Each such body replaces the one before. It is MessagePack, without the package's header. An empty name
    keeps none.
    """
    global _fail_file
    _fail_file = fn


def decode(body: bytes) -> Any:
    """Decode a package's body.

    Raises:
        InvalidResponse: it does not decode. It is written to the file of `set_package_fail_file`.
    """
    try:
        return unpack(body)
    except UnpackError as error:
        kept = _keep(body)
        raise InvalidResponse(f"{error}{kept}") from error


def value_of(answer: Package) -> Any:
    """The value of an answer. None if the node only says that the request is done.

    Raises:
        ThingsDBError: the answer is this error.
        InvalidResponse: the answer does not decode, or is of a kind that answers no request.
    """
    if answer.kind == _DATA:
        return decode(answer.body)
    error = error_in(answer)
    if error is not None:
        raise error
    return None


def error_in(answer: Package) -> things_errors.ThingsDBError | None:
    """The error that an answer is; None if it is none.

    Raises:
        InvalidResponse: the answer does not decode, or is of a kind that answers no request.
    """
    kind = answer.kind
    if kind in (_DATA, _OK):
        return None
    if kind != _ERROR:
        raise InvalidResponse(f"the node answered with a package of kind {kind}, which answers no request")
    said = decode(answer.body)
    if not isinstance(said, dict) or not isinstance(said.get("error_code"), int):
        raise InvalidResponse(f"an error without a code: {said!r:.80}")
    return things_errors.error_from(said["error_code"], str(said.get("error_msg", "")))


def _keep(body: bytes) -> str:
    """Write a body to the file of `set_package_fail_file`; returns what to add to the error's text."""
    if not _fail_file:
        return ""
    try:
        Path(_fail_file).write_bytes(body)
    except OSError as error:
        _log.error("a body that does not decode could not be written to %s: %s", _fail_file, error)
        return ""
    return f"; it is in {_fail_file}"

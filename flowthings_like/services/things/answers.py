"""What a node answered: a value, or an error to raise; and where a body is kept that is neither."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ...errors import InvalidResponse
from ...wire.things import errors as things_errors
from ...wire.things.packages import Kind, Package
from ...wire.things.values import UnpackError, unpack

__all__ = ["decode", "refusal_in", "set_package_fail_file", "value_of"]

_log = logging.getLogger("flowthings_like")
_ERROR = int(Kind.ERROR)
_DATA = int(Kind.DATA)
_OK = int(Kind.OK)
_fail_file = ""


def set_package_fail_file(fn: str = "") -> None:
    """Name a file for the bodies of packages that do not decode, for all clients of this process.

    The last one is in it, MessagePack without the package's header, in place of the one before. With an empty
    name none is kept.
    """
    global _fail_file
    _fail_file = fn


def decode(body: bytes) -> Any:
    """The value in a package's body.

    Raises:
        InvalidResponse: it does not decode; it is kept if there is a file for that.
    """
    try:
        return unpack(body)
    except UnpackError as error:
        kept = _keep(body)
        raise InvalidResponse(f"{error}{kept}") from error


def value_of(answer: Package) -> Any:
    """What a request was answered: a value, None if the node only says that it is done.

    Raises:
        ThingsDBError: it was answered with this error.
        InvalidResponse: the answer does not decode, or is of a kind that answers nothing.
    """
    if answer.kind == _DATA:
        return decode(answer.body)
    refusal = refusal_in(answer)
    if refusal is not None:
        raise refusal
    return None


def refusal_in(answer: Package) -> things_errors.ThingsDBError | None:
    """The error that a request was answered with, if it was.

    Raises:
        InvalidResponse: the answer does not decode, or is of a kind that answers nothing.
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
    """Write a body to the file for that; what to tell of it."""
    if not _fail_file:
        return ""
    try:
        Path(_fail_file).write_bytes(body)
    except OSError as error:
        _log.error("a body that does not decode could not be written to %s: %s", _fail_file, error)
        return ""
    return f"; it is in {_fail_file}"

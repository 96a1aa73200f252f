"""Paths within an account: their shape, what lies beneath what, and the refusal of a path outside it.

A path is `/account/segment[/segment…]`, at most 128 characters. A segment holds letters, digits, `_`, `-`,
`:` and `.`; the platform's own flows begin a segment with `:`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...problems import BadRequest

if TYPE_CHECKING:
    from ...json_schema import Schema

LONGEST = 128
_SEGMENT = re.compile(r"[A-Za-z0-9_:.-]+")

SCHEMA: Schema = {
    "type": "string",
    "maxLength": LONGEST,
    "pattern": rf"^(/{_SEGMENT.pattern}){{2,}}$",
    "description": "a path within the account, such as /account/weather",
}
"""What `check` accepts, but for the account."""

PREFIX_SCHEMA: Schema = {
    "type": "string",
    "pattern": rf"^(/{_SEGMENT.pattern})+/*$",
    "description": "a path within the account, or the account's root /account",
}
"""What `check_prefix` accepts, but for the account."""


def check(path: Any, account: str, member: str = "path") -> str:
    """Return `path` if it may name something in `account`; refuse it if it is outside the account.

    Args:
        path: what the writer sent.
        account: the account whose name must be the first segment.
        member: what to call it in the error.

    Raises:
        BadRequest: saying what is wrong with it and what would be right.
    """
    if not isinstance(path, str) or not path.startswith("/"):
        raise BadRequest(f"{member} must be a string such as /{account}/weather, not {_shown(path)}")
    if len(path) > LONGEST:
        raise BadRequest(f"{member} has {len(path)} characters: {LONGEST} is the most")
    segments = path[1:].split("/")
    for segment in segments:
        if not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
            raise BadRequest(
                f"{member} {path!r}: a segment is made of letters, digits and _ - : . only, not {segment!r}"
            )
    if not is_inside(account, path):
        raise BadRequest(f"{member} {path!r} is outside the account: it must begin with /{account}/")
    if len(segments) < 2:
        raise BadRequest(f"{member} {path!r} needs a segment after the account, such as /{account}/weather")
    return str(path)


def check_prefix(path: Any, account: str, member: str = "paths") -> str:
    """Like `check`, but the account's root `/account` and trailing slashes are allowed too."""
    if isinstance(path, str):
        path = path.rstrip("/")
        if path == f"/{account}":
            return str(path)
    return check(path, account, member)


def is_inside(account: str, path: str) -> bool:
    """Whether `path` lies in `account`. A caller gets to no path outside, whatever its rights are."""
    return covers(f"/{account}", path)


def covers(prefix: str, path: str) -> bool:
    """Whether `path` is `prefix` or lies beneath it."""
    return path == prefix or path.startswith(prefix + "/")


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, (str, int, float)) else type(value).__name__

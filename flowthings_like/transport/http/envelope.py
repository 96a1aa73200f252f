"""Reads and checks the platform's envelope, `{"head": {…}, "body": …}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...errors import InvalidResponse
from .encoder import describe_fault

__all__ = ["Envelope", "describe_unreadable", "open_envelope"]

_JSON_STARTS = (b"{", b"\xef\xbb\xbf")


class Envelope(NamedTuple):
    """The members of an answer, each of the right type.

    Attributes:
        ok: whether the platform did what was asked.
        status: its status.
        errors: its messages.
        references: the resources that those in the body refer to, by kind and id.
        body: the resources.
        evicted_created: how many of the drops that the call created were evicted at once.
    """

    ok: bool
    status: int
    errors: list[str]
    references: Mapping[str, Any]
    body: Any
    evicted_created: int


def open_envelope(answer: Any, status: int, asked: str) -> Envelope | None:
    """Read a decoded answer as an envelope; None if it is no object with a head.

    Args:
        answer: the decoded text.
        status: the HTTP status, which counts if the head has none.
        asked: method and path, for the error.

    Raises:
        InvalidResponse: a member has the wrong type.
    """
    head = answer.get("head") if isinstance(answer, Mapping) else None
    if not isinstance(head, Mapping):
        return None
    ok, said = head.get("ok"), head.get("status")
    failures, references = head.get("errors"), head.get("references")
    if ok is not None and not isinstance(ok, bool):
        raise _wrong(asked, "ok", ok, "true or false")
    # 0 and null count as no status.
    if said is not None and (type(said) is not int or (said != 0 and not 100 <= said <= 599)):
        raise _wrong(asked, "status", said, "a status from 100 to 599")
    if failures is not None and not (
        isinstance(failures, list | tuple) and all(isinstance(each, str) for each in failures)
    ):
        raise _wrong(asked, "errors", failures, "a list of texts")
    if references is not None and not isinstance(references, Mapping):
        raise _wrong(asked, "references", references, "an object")
    evicted = head.get("evictedCreated", 0)
    if type(evicted) is not int or evicted < 0:
        raise _wrong(asked, "evictedCreated", evicted, "a count of drops")
    return Envelope(
        True if ok is None else ok,
        said or status,
        list(failures or ()),
        references or {},
        answer.get("body"),
        evicted,
    )


def _wrong(asked: str, member: str, value: Any, right: str) -> InvalidResponse:
    shown = repr(value)
    if len(shown) > 40:
        shown = f"{shown[:40]}…"
    return InvalidResponse(
        f"{asked}: the answer's head.{member} is {shown}, a {type(value).__name__}; it should be {right}"
    )


def describe_unreadable(text: Any, error: ValueError) -> str | None:
    """Say why a text is no JSON object; None if it does not even begin as one."""
    if not isinstance(text, str | bytes):
        return None
    start = text[:64].encode(errors="replace") if isinstance(text, str) else text[:64]
    return describe_fault(text, error) if start.lstrip().startswith(_JSON_STARTS) else None

"""Reads and checks the platform's envelope, `{"head": {…}, "body": …}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...errors import FlowThingsError, InvalidResponse, from_status
from ..retry import retry_after
from .encoder import describe_fault

__all__ = ["Envelope", "Reply", "describe_unreadable", "open_envelope"]

_JSON_STARTS = (b"{", b"\xef\xbb\xbf")
# Gateways and overloaded servers answer without JSON. These statuses say enough by themselves.
_CLEAR_STATUSES = (405, 413, 429, 500, 501, 502, 503, 504)


class Reply(NamedTuple):
    """An answer as it was received, and what was asked.

    Attributes:
        method, path: the verb and the resource path of the request.
        text, headers, status: what was received.
        attempts: how many attempts the call took.
        account: whose request it was.
    """

    method: str
    path: str
    text: Any
    headers: Mapping[str, str]
    status: int
    attempts: int
    account: str

    def error(self, status: int, messages: list[str] | str, now: float) -> FlowThingsError:
        """The error for a call that the platform refused.

        Args:
            status: the status that counts.
            messages: the platform's.
            now: seconds since the epoch, for Retry-After.
        """
        return from_status(status)(
            messages,
            status=status,
            method=self.method,
            path=self.path,
            creds=self.account,
            attempts=self.attempts,
            retry_after=retry_after(self.headers, now),
        )

    def unintelligible(self, fault: str | None, host: str, now: float) -> FlowThingsError:
        """The error for an answer that is no envelope.

        Args:
            fault: what is wrong with its JSON; None if it is something else than JSON.
            host: whom the program wanted to talk to.
            now: seconds since the epoch, for Retry-After.
        """
        kind = self.headers.get("content-type") or self.headers.get("Content-Type") or "no content type"
        size = f"{len(self.text)} bytes" if isinstance(self.text, str | bytes) else type(self.text).__name__
        what = f"the answer is not the platform's envelope ({kind}, {size})"
        if self.status in _CLEAR_STATUSES:
            return self.error(self.status, what, now)
        asked = f"{self.method} {self.path}: {self.status}"
        if fault is not None:
            return InvalidResponse(f"{asked}: the answer is damaged: {fault} ({size})")
        return InvalidResponse(f"{asked}: {what}; is {host} the right host?")


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


def open_envelope(answer: Any, reply: Reply) -> Envelope | None:
    """Read a decoded answer as an envelope; None if it is no object with a head.

    Args:
        answer: the decoded text.
        reply: what it was decoded from. Its status counts if the head has none.

    Raises:
        InvalidResponse: a member has the wrong type.
    """
    head = answer.get("head") if isinstance(answer, Mapping) else None
    if not isinstance(head, Mapping):
        return None
    ok, said = head.get("ok"), head.get("status")
    failures, references = head.get("errors"), head.get("references")
    if ok is not None and not isinstance(ok, bool):
        raise _wrong(reply, "ok", ok, "true or false")
    # 0 and null count as no status.
    if said is not None and (type(said) is not int or (said != 0 and not 100 <= said <= 599)):
        raise _wrong(reply, "status", said, "a status from 100 to 599")
    if failures is not None and not (
        isinstance(failures, list | tuple) and all(isinstance(each, str) for each in failures)
    ):
        raise _wrong(reply, "errors", failures, "a list of texts")
    if references is not None and not isinstance(references, Mapping):
        raise _wrong(reply, "references", references, "an object")
    evicted = head.get("evictedCreated", 0)
    if type(evicted) is not int or evicted < 0:
        raise _wrong(reply, "evictedCreated", evicted, "a count of drops")
    return Envelope(
        True if ok is None else ok,
        said or reply.status,
        list(failures or ()),
        references or {},
        answer.get("body"),
        evicted,
    )


def _wrong(reply: Reply, member: str, value: Any, right: str) -> InvalidResponse:
    shown = repr(value)
    if len(shown) > 40:
        shown = f"{shown[:40]}…"
    return InvalidResponse(
        f"{reply.method} {reply.path}: the answer's head.{member} is {shown}, a {type(value).__name__}; "
        f"it should be {right}"
    )


def describe_unreadable(text: Any, error: ValueError) -> str | None:
    """Say why a text is no JSON object; None if it does not even begin as one."""
    if not isinstance(text, str | bytes):
        return None
    start = text[:64].encode(errors="replace") if isinstance(text, str) else text[:64]
    return describe_fault(text, error) if start.lstrip().startswith(_JSON_STARTS) else None

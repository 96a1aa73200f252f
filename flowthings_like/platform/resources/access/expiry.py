"""Expiry of tokens and shares: how long their rights last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import ids

LONGEST = 100 * 365 * 24 * 3_600_000
"""The longest duration, in ms: a hundred years."""


def remaining(document: Mapping[str, Any]) -> int | None:
    """Milliseconds until the document's `duration`, counted from its creation, is over; None without one."""
    duration = document.get("duration")
    if duration is None:
        return None
    return max(0, int(document["creationDate"]) + int(duration) - ids.now_ms())


def expired(document: Mapping[str, Any]) -> bool:
    """Whether the duration is over."""
    return remaining(document) == 0


def presented(document: dict[str, Any]) -> dict[str, Any]:
    """The document with `expiresInMs`, if it expires at all."""
    left: Any = remaining(document)
    return document if left is None else {**document, "expiresInMs": left}

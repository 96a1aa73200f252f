"""What tokens and shares have in common: rights that are issued, and that may run out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import ids

if TYPE_CHECKING:
    from ..base.verbs import Document


def remaining(document: Document) -> int | None:
    """Milliseconds until the document's `duration`, from its creation on, is over; None if it never is."""
    duration = document.get("duration")
    if duration is None:
        return None
    return max(0, int(document["creationDate"]) + int(duration) - ids.now_ms())


def expired(document: Document) -> bool:
    """Whether the duration is over."""
    return remaining(document) == 0


def presented(document: Document) -> Document:
    """The document with `expiresInMs`, if it runs out at all."""
    left: Any = remaining(document)
    return document if left is None else {**document, "expiresInMs": left}

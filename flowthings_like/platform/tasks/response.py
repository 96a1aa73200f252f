"""Whether an answer is what a task has asked for."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ..ids import now_ms
from .fetch import FetchFailed

if TYPE_CHECKING:
    from ...wire.http import Answer

__all__ = ["Refused", "check_answer"]


class Refused(FetchFailed):
    """The other side answered with an error.

    Attributes:
        wait: seconds for which it does not want to be asked again; 0 if it did not say.
    """

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


def check_answer(answer: Answer) -> None:
    """Raise Refused unless the answer is a success."""
    if not 200 <= answer.status < 300:
        wait = _seconds(answer.headers.get("retry-after", ""))
        raise Refused(f"the answer was {answer.status} {answer.reason[:100]}".rstrip(), wait)


def _seconds(text: str) -> float:
    """What a Retry-After header says: seconds, or a date."""
    if text.isascii() and text.isdigit() and len(text) < 12:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_ms() / 1000)
    except (TypeError, ValueError, OverflowError):
        return 0.0

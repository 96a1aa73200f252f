"""Parses and encodes large bodies one at a time, and yields to other threads in between.

Parsing two megabytes of JSON takes about ten milliseconds in which no other thread of the process runs: C
code that makes Python objects holds the interpreter's lock, in a native thread too. One body cannot be
divided. But when sixty-four answers arrive together, everything else that is due can run between two of them.
"""

from __future__ import annotations

import io
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from .choice import detect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    T = TypeVar("T")

__all__ = ["LARGE", "SLICE", "fair_yield", "is_large", "join_fairly", "run_fairly"]

LARGE = 256 * 1024
"""Bytes of text that take about a millisecond to parse, to encode or to read from a socket."""

SLICE = 0.004
"""Seconds of work after which other threads may run, where the work can be divided."""

MANY = 1000
"""Members of a list or a dict that encode to about as much text."""

_LIMITS: dict[type, int] = {bytes: LARGE, bytearray: LARGE, str: LARGE, list: MANY, tuple: MANY, dict: MANY}


def is_large(value: Any) -> bool:
    """Whether this takes long to parse or encode, by the length of a text or the number of members."""
    limit = _LIMITS.get(type(value))
    return limit is not None and len(value) >= limit


def run_fairly(function: Callable[[Any], T], value: Any) -> T:
    """Return `function(value)`, which parses or encodes it. Yield to other threads first if it is large."""
    if is_large(value):
        fair_yield()
    return function(value)


def fair_yield() -> None:
    """Yield to other threads, right before work that takes milliseconds. See `Backend.fair_yield`."""
    detect().fair_yield()


def join_fairly(pieces: Iterable[bytes | bytearray]) -> bytes:
    """Join pieces that take time to make or to copy. Yields to other threads after every SLICE seconds."""
    # BytesIO hands out its contents without a copy.
    joined = io.BytesIO()
    until = monotonic() + SLICE
    for piece in pieces:
        joined.write(piece)
        if monotonic() > until:
            fair_yield()
            until = monotonic() + SLICE
    return joined.getvalue()

"""Large pieces of work, one at a time, with a turn of the hub between any two of them.

Parsing two megabytes of JSON takes about ten milliseconds in which nothing else of the process runs: C code
that makes Python objects holds the interpreter, in a native thread as well as here. One such piece cannot be
divided, but sixty-four answers that arrive together need not be parsed in one go: whoever has a large piece
of work to do waits here until everything else that is due has run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from .choice import detect

if TYPE_CHECKING:
    from collections.abc import Callable

    T = TypeVar("T")

__all__ = ["LARGE", "fair_yield", "is_large", "run_fairly"]

LARGE = 256 * 1024
"""Bytes of text that take about a millisecond to parse, to write or to read from a socket."""

MANY = 1000
"""Members of a list or a dict that make about as much text."""

_LIMITS: dict[type, int] = {bytes: LARGE, bytearray: LARGE, str: LARGE, list: MANY, tuple: MANY, dict: MANY}


def is_large(value: Any) -> bool:
    """Whether to parse or to write this takes long: text by its length, a list or a dict by its members."""
    limit = _LIMITS.get(type(value))
    return limit is not None and len(value) >= limit


def run_fairly(function: Callable[[Any], T], value: Any) -> T:
    """`function(value)`, which parses or writes `value`; after waiting for a turn if that is large."""
    if is_large(value):
        fair_yield()
    return function(value)


def fair_yield() -> None:
    """Wait for a turn. To be called right before work that takes milliseconds; see Backend.fair_yield."""
    detect().fair_yield()

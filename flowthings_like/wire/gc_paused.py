"""Runs bulk work with the cyclic garbage collector paused."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    T = TypeVar("T")

__all__ = ["parse_with_gc_paused", "with_gc_paused"]

_COLLECTS_WITHIN_C = sys.version_info < (3, 12)


def with_gc_paused(function: Callable[..., T], /, *args: Any) -> T:
    """Call `function(*args)` with the garbage collector paused. It pays from a thousand dicts on.

    Every 700 new dicts start a collection, and some collections look through all objects of the process. That
    takes a third of the time of such work, and holds the hub for longest. Use it for functions that make many
    objects without cycles and do not wait: nothing in the process is collected meanwhile.
    """
    if not gc.isenabled():
        return function(*args)
    try:
        gc.disable()
        return function(*args)
    finally:
        gc.enable()
        gc.collect(0)  # or the next dict would start a collection, which may be a full one


def parse_with_gc_paused(parse: Callable[[Any], T], text: Any) -> T:
    """Call `parse(text)`, a parser in C, with the collector paused where Python is older than 3.12."""
    return with_gc_paused(parse, text) if _COLLECTS_WITHIN_C else parse(text)

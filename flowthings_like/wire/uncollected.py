"""Bulk work with the cyclic garbage collector put off until its end."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    T = TypeVar("T")

__all__ = ["parse_uncollected", "uncollected"]

_COLLECTS_WITHIN_C = sys.version_info < (3, 12)


def uncollected(function: Callable[..., T], /, *args: Any) -> T:
    """`function(*args)`, without a collection before it has returned. Worth it for a thousand dicts and more.

    Every 700 dicts start a collection, and now and then one looks through all objects of the process: a
    third of the time that the work takes, and the longest of the moments in which nothing else can run. For
    functions that make many objects without cycles and do not wait for other green threads: nothing in the
    process is collected meanwhile.
    """
    if not gc.isenabled():
        return function(*args)
    try:
        gc.disable()
        return function(*args)
    finally:
        gc.enable()
        gc.collect(0)  # or the next dict would start a collection, which may be a full one


def parse_uncollected(parse: Callable[[Any], T], text: Any) -> T:
    """`parse(text)`, for a `parse` in C: from Python 3.12 on the collector waits for it by itself."""
    return uncollected(parse, text) if _COLLECTS_WITHIN_C else parse(text)

"""Parsing with the cyclic garbage collector put off until the end."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["uncollected"]

_COLLECTS_WITHIN_C = sys.version_info < (3, 12)


def uncollected(parse: Callable[[Any], Any], text: Any) -> Any:
    """`parse(text)`, without a collection before it has returned. Worth it for texts of 64 KiB and more.

    Every 700 dicts would start one, and one time in a few hundred it looks through all objects of the
    process: a third of the time that parsing takes, and the longest of the moments in which nothing else can
    run. What is parsed has no cycles to find. From Python 3.12 on the collector itself waits until a C
    function has returned.
    """
    if not _COLLECTS_WITHIN_C:
        return parse(text)
    collecting = gc.isenabled()
    gc.disable()
    try:
        return parse(text)
    finally:
        if collecting:
            gc.collect(0)  # or the next dict would start a collection, which may be a full one
            gc.enable()

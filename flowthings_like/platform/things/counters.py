"""Counts what a node has done."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

__all__ = ["Counters"]


@dataclass
class Counters:
    """What the node has done since it started, or since `reset_counters` was called.

    Attributes:
        started_at: seconds since the epoch.
        queries: requests of all kinds that logged-in clients made.
        failed: how many of them were answered with an error.
    """

    started_at: float = field(default_factory=time.time)
    queries: int = 0
    failed: int = 0

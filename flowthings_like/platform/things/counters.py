"""What a node counts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

__all__ = ["Counters"]


@dataclass
class Counters:
    """Since the node started, or since it was told to count anew.

    Attributes:
        started_at: seconds since the epoch.
        queries: requests that were made by whoever had come in, of all kinds.
        failed: those of them that were answered with an error.
    """

    started_at: float = field(default_factory=time.time)
    queries: int = 0
    failed: int = 0

"""Waits for what tasks do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

LIMIT = 30.0  # seconds, for a busy machine


def until(look: Callable[[], T]) -> T:
    """What `look` returns, as soon as that is true."""
    deadline = time.monotonic() + LIMIT
    while not (found := look()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)
    return found


def run_of(service: Any, id: str, runs: int = 1) -> Any:
    """The task, as soon as it has run so often."""

    def look() -> Any:
        task = service.read(id)
        return task if task.get("runCt", 0) >= runs else None

    return until(look)

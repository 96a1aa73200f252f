"""Servers that benchmarks start: each in a process of its own, on a core that is not the contenders'."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["on_last_core"]


@contextmanager
def on_last_core(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a command on the last core this process may use, until the end of the block.

    Args:
        options: as for `subprocess.Popen`.
    """
    last = max(os.sched_getaffinity(0))
    with subprocess.Popen(
        command, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {last}), **options
    ) as server:
        try:
            yield server
        finally:
            server.terminate()
            server.wait()

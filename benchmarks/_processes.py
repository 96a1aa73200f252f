"""Servers that benchmarks start: each in a process of its own, on a core that is not the contenders'."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["on_last_core", "serving_until_closed"]


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


@contextmanager
def serving_until_closed(script: str, folder: Path) -> Iterator[str]:
    """Run a script that serves a folder until its input is closed. Gives the first line that it prints."""
    command = [sys.executable, "-c", script, str(folder)]
    with on_last_core(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()
            server.wait()  # it closes what it serves

"""Processes that serve a folder until they are killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flowthings_like.green.backends import choice as backend

from . import serving_process


@contextmanager
def serving(folder: Path, family: str) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """Start a process that serves a folder's "records", "streams" or "things".

    Returns it and the address that it printed.
    """
    program = [sys.executable, "-W", "ignore", serving_process.__file__]
    script = [*program, backend.detect().name, str(folder), family]
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(script, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": root})
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

"""Which files of the package a piece of code enters, and which of them call which."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from .fakes import ROOT

PACKAGE = str(ROOT / "flowthings_like") + "/"
SERVER = ("platform/", "testing/", "green/backends/native_")
"""Not the client's: a test has the platform in the same process, and only the platform makes native calls."""

RUNNERS = "green/backends/"
"""Run what they are given, in another thread: that is no step from one file to another."""


class Trace:
    """What was entered on the client's side while `traced` was on.

    Attributes:
        files: names relative to the package, in the order in which they were entered.
        functions: the code that was run.
        steps: pairs of files, of which the first called the second.
    """

    def __init__(self) -> None:
        self.files: dict[str, None] = {}
        self.functions: set[CodeType] = set()
        self.steps: set[tuple[str, str]] = set()

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        if event != "call":
            return
        name = _name(frame)
        if name is None or name.startswith(SERVER):
            return
        caller = frame.f_back
        while caller is not None:
            from_ = _name(caller)
            if from_ is not None:
                if from_.startswith(SERVER):
                    return
                if from_ != name and (name.startswith(RUNNERS) or not from_.startswith(RUNNERS)):
                    self.steps.add((from_, name))
                break
            caller = caller.f_back
        self.files[name] = None
        self.functions.add(frame.f_code)

    def both_ways(self) -> list[tuple[str, str]]:
        """Pairs of files that call each other."""
        return sorted(pair for pair in self.steps if pair[0] < pair[1] and pair[::-1] in self.steps)

    def report(self) -> str:
        """The files, one a line."""
        return f"{len(self.files)} files, {len(self.functions)} functions:\n" + "\n".join(self.files)


def _name(frame: FrameType) -> str | None:
    path = frame.f_code.co_filename
    if not path.startswith(PACKAGE):
        return None
    return path[len(PACKAGE) :]


@contextmanager
def traced() -> Iterator[Trace]:
    """Trace the block, and the threads that begin in it."""
    trace = Trace()
    threading.setprofile(trace)
    sys.setprofile(trace)
    try:
        yield trace
    finally:
        sys.setprofile(None)
        threading.setprofile(None)

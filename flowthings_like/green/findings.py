"""What the doctor finds, and how it is told while the program runs."""

from __future__ import annotations

import sys
import warnings
from dataclasses import asdict, dataclass
from typing import Literal

from flowthings_like.about import DOCS

__all__ = ["Finding", "GreenWarning", "note", "noted", "place_of_call", "warn_once"]

PAGE = f"{DOCS}/doctor.md"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with how this process runs green threads. Every part is one line of text.

    Attributes:
        code: "G01" to "G15"; it is never used again for something else.
        severity: "error" for what breaks, hangs or mixes things up, "warning" for what stalls or may break.
        seen: what was seen in this process.
        why: what comes of it.
        write: what to write instead.
    """

    code: str
    severity: Literal["error", "warning"]
    seen: str
    why: str
    write: str

    @property
    def link(self) -> str:
        """Where the documentation explains it."""
        return f"{PAGE}#{self.code.lower()}"

    def to_dict(self) -> dict[str, str]:
        """All of it, for JSON."""
        return {**asdict(self), "link": self.link}

    def __str__(self) -> str:
        head = f"{self.code} {self.severity}: {self.seen}"
        return f"{head}\n  why: {self.why}\n  write: {self.write}\n  see: {self.link}"


class GreenWarning(RuntimeWarning):
    """Something about green threads is about to bite. Given once per process and code.

    Attributes:
        finding: what was found; `finding.code` says which.
    """

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(f"{finding.code}: {finding.seen}; {finding.why}; {finding.write} ({finding.link})")

    def __reduce__(self) -> tuple[type[GreenWarning], tuple[Finding]]:
        return type(self), (self.finding,)


_noted: dict[str, Finding] = {}
_warned: set[str] = set()


def note(finding: Finding) -> None:
    """Keep what was seen at run time, so that `doctor()` can tell it later. The first of each code stays."""
    _noted.setdefault(finding.code, finding)


def noted() -> list[Finding]:
    """What was seen at run time so far, by code."""
    return [_noted[code] for code in sorted(_noted)]


def warn_once(finding: Finding, at: tuple[str, int] | None = None) -> None:
    """Give a GreenWarning, unless there was one of that code in this process already.

    Args:
        finding: what to warn of.
        at: file and line it is about; by default the line of the program that called this library.
    """
    if finding.code in _warned:
        return
    _warned.add(finding.code)
    filename, line = at or place_of_call()
    warnings.warn_explicit(GreenWarning(finding), None, filename, line)


def place_of_call() -> tuple[str, int]:
    """The innermost frame that is not this library's."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "flowthings_like"

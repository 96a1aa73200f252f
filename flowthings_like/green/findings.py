"""Findings: mistakes in how a process runs green threads, which `doctor()` reports and GreenWarnings tell."""

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
    """One mistake in how this process runs green threads. Every part is one line of text.

    Attributes:
        code: "G01" to "G15". A code never gets another meaning.
        severity: "error" for what crashes, hangs or gives wrong results, "warning" for what blocks, or may
            break.
        seen: what was observed in this process.
        why: what it leads to.
        write: what to write instead.
    """

    code: str
    severity: Literal["error", "warning"]
    seen: str
    why: str
    write: str

    @property
    def link(self) -> str:
        """The URL of its description in the documentation."""
        return f"{PAGE}#{self.code.lower()}"

    def to_dict(self) -> dict[str, str]:
        """All parts and the link, for JSON."""
        return {**asdict(self), "link": self.link}

    def __str__(self) -> str:
        head = f"{self.code} {self.severity}: {self.seen}"
        return f"{head}\n  why: {self.why}\n  write: {self.write}\n  see: {self.link}"


class GreenWarning(RuntimeWarning):
    """Warns of a mistake in how this process runs green threads. Given once for each code in a process.

    Attributes:
        finding: the mistake.
    """

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(f"{finding.code}: {finding.seen}; {finding.why}; {finding.write} ({finding.link})")

    def __reduce__(self) -> tuple[type[GreenWarning], tuple[Finding]]:
        return type(self), (self.finding,)


_noted: dict[str, Finding] = {}
_warned: set[str] = set()


def note(finding: Finding) -> None:
    """Record a finding made while the program runs, for `doctor()`. The first one of each code is kept."""
    _noted.setdefault(finding.code, finding)


def noted() -> list[Finding]:
    """The recorded findings, in the order of their codes."""
    return [_noted[code] for code in sorted(_noted)]


def warn_once(finding: Finding, at: tuple[str, int] | None = None) -> None:
    """Give a GreenWarning, unless this process has given one with that code.

    Args:
        finding: the mistake.
        at: the file and line to show; by default the line in the program that called this library.
    """
    if finding.code in _warned:
        return
    _warned.add(finding.code)
    filename, line = at or place_of_call()
    warnings.warn_explicit(GreenWarning(finding), None, filename, line)


def place_of_call() -> tuple[str, int]:
    """The file and line of the innermost frame outside this library."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "flowthings_like"

"""WrongThread errors, finding G10: something was used in another OS thread than the one with its hub."""

from __future__ import annotations

from flowthings_like.errors import WrongThread

from .findings import Finding, note

__all__ = ["foreign_call", "wrong_thread"]


def wrong_thread() -> WrongThread:
    """The error for a lazy() or async_() object, or a result of one that is not there yet, that is used in
    another OS thread. Recorded as G10."""
    finding = Finding(
        "G10",
        "error",
        "a lazy() or async_() object, or a result of one, was used in another OS thread than its first call",
        "that wait would never end: hubs do not wake each other's green threads",
        "ask for results (force, get, results) in that first OS thread and pass the values on; to make calls "
        "in this one, make a lazy() or async_() object in it",
    )
    return _recorded(finding)


def foreign_call() -> WrongThread:
    """The error for a call over a connection that another OS thread's hub reads. Recorded as G10."""
    finding = Finding(
        "G10",
        "error",
        "a call was made in another OS thread than the one in which its connection was",
        "that wait would never end: hubs do not wake each other's green threads",
        "make the call in that OS thread and pass the value on, or give this one a client of its own",
    )
    return _recorded(finding)


def _recorded(finding: Finding) -> WrongThread:
    note(finding)
    return WrongThread(f"{finding.code}: {finding.seen}; {finding.why}; {finding.write}")

"""The error of a wait that would never end, because it was begun in the wrong OS thread: finding G10."""

from __future__ import annotations

from flowthings_like.errors import WrongThread

from .findings import Finding, note

__all__ = ["foreign_call", "wrong_thread"]


def wrong_thread() -> WrongThread:
    """G10: a lazy() or async_() object was used in two OS threads, or a result that is still on its way was
    asked for in another one. The error to raise."""
    finding = Finding(
        "G10",
        "error",
        "a lazy() or async_() object, or a result of one, was used in another OS thread than its first call",
        "that wait would never end: hubs do not wake each other's green threads",
        "ask for results (force, get, results) in that first OS thread and pass the values on; to make calls "
        "in this one, make a lazy() or async_() object in it",
    )
    return _refusal(finding)


def foreign_call() -> WrongThread:
    """G10: a call over a connection whose answers another OS thread's hub reads. The error to raise."""
    finding = Finding(
        "G10",
        "error",
        "a call was made in another OS thread than the one in which its connection was",
        "that wait would never end: hubs do not wake each other's green threads",
        "make the call in that OS thread and pass the value on, or give this one a client of its own",
    )
    return _refusal(finding)


def _refusal(finding: Finding) -> WrongThread:
    note(finding)
    return WrongThread(f"{finding.code}: {finding.seen}; {finding.why}; {finding.write}")

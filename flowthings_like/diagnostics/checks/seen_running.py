"""What can only be seen when it happens: G08, G10, G11 and G12. Whoever sees it makes the finding here."""

from __future__ import annotations

from flowthings_like.errors import WrongThread

from .findings import Finding, note

__all__ = ["blocking_call", "foreign_call", "hub_held", "session_after_fork", "wrong_thread"]


def blocking_call(thread: str, seconds: float, call: str, where: str) -> Finding:
    """G08: a database or a file was used on the hub's thread. Seen by the block monitor."""
    return Finding(
        "G08",
        "warning",
        f"{thread} held the hub for {seconds:.2f} s in {call}, at {where}",
        "SQLite, DuckDB and files wait in the kernel, and no other green thread runs meanwhile",
        "`from flowthings_like.green import native` and `native(function, …)`, which runs it in an OS thread",
    )


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


def session_after_fork() -> Finding:
    """G11: a session that was given to the API, and used, is used again in a forked child."""
    finding = Finding(
        "G11",
        "error",
        "this process was forked after the session it was given had been used",
        "parent and child write to the same sockets and read each other's answers",
        "make the API, or its session, after the fork; without `session=` a child gets its own",
    )
    note(finding)
    return finding


def hub_held(thread: str, seconds: float, where: str) -> Finding:
    """G12: one green thread ran for too long without giving way. Seen by the block monitor."""
    return Finding(
        "G12",
        "warning",
        f"{thread} held the hub for {seconds:.2f} s, at {where}",
        "nothing else runs meanwhile: calls time out, servers look dead",
        "`native(function, …)` for what blocks; `gevent.sleep(0)` or `eventlet.sleep(0)` in long loops",
    )

"""The findings of the block monitor: G08 and G12."""

from __future__ import annotations

from ...green.findings import Finding

__all__ = ["blocking_call", "hub_held"]


def blocking_call(thread: str, seconds: float, call: str, where: str) -> Finding:
    """G08: a database or a file was used in the hub's thread."""
    return Finding(
        "G08",
        "warning",
        f"{thread} held the hub for {seconds:.2f} s in {call}, at {where}",
        "SQLite, DuckDB and files wait in the kernel, and no other green thread runs meanwhile",
        "`from flowthings_like.green import native` and `native(function, …)`, which runs it in an OS thread",
    )


def hub_held(thread: str, seconds: float, where: str) -> Finding:
    """G12: a green thread ran for too long without yielding."""
    return Finding(
        "G12",
        "warning",
        f"{thread} held the hub for {seconds:.2f} s, at {where}",
        "nothing else runs meanwhile: calls time out, servers look dead",
        "`native(function, …)` for what blocks; `gevent.sleep(0)` or `eventlet.sleep(0)` in long loops",
    )

"""The numbers of a connection pool."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Statistics"]


@dataclass(frozen=True)
class Statistics:
    """Numbers of a pool in this process.

    Attributes:
        size: how many connections there may be.
        open: how many there are, those being opened included.
        idle: how many of them wait for work.
        waiting: how many callers wait for one.
        opened: how many were ever opened.
        expired: how many were closed for having been idle too long, or were found closed by the other end.
        discarded: how many were closed because an exchange was not completed.
    """

    size: int
    open: int
    idle: int
    waiting: int
    opened: int
    expired: int
    discarded: int

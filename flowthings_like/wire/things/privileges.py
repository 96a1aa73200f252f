"""The privileges of ThingsDB's users: one bit each in a mask."""

from __future__ import annotations

from enum import IntFlag

__all__ = ["Privilege"]


class Privilege(IntFlag):
    """One bit for each privilege. USER and FULL combine several."""

    QUERY = 1
    CHANGE = 2
    GRANT = 4
    JOIN = 8
    RUN = 16
    USER = 27
    FULL = 31

"""Refused requests."""

from __future__ import annotations

__all__ = ["Refused"]


class Refused(Exception):
    """A request that is answered with an error, after which the connection is closed. Its text is logged."""

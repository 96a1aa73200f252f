"""What clients of the record store may take up."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one store's server.

    Attributes:
        connections: open at once; those beyond are closed at once.
        idle_timeout: seconds in which a connection may make no request before it is closed.
        stall_timeout: seconds in which a client may send nothing of a request that it has begun, or take
            nothing of a reply.
        linger: seconds in which a client may read an error before the connection is closed.
    """

    connections: int = 512
    idle_timeout: float = 600.0
    stall_timeout: float = 60.0
    linger: float = 2.0

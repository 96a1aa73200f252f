"""What an operator wants to see of a server."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MonitoringSettings"]


@dataclass(frozen=True)
class MonitoringSettings:
    """What to show.

    Attributes:
        metrics_port: where to show metrics, in the clear and to everyone who reaches it; None for nowhere,
            0 takes a free port.
        metrics_host: the address to listen at for that, whatever the server's is.
        json_log: whether the log is lines of JSON.
    """

    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    json_log: bool = False

"""The status of a node, as the events and the information about nodes say it."""

from __future__ import annotations

__all__ = ["OFFLINE", "READY", "SHUTTING_DOWN"]

READY = "READY"

SHUTTING_DOWN = "SHUTTING_DOWN"
"""The node answers the requests that it has and refuses others."""

OFFLINE = "OFFLINE"
"""The node is about to close its connections."""

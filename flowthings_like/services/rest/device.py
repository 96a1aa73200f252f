"""Devices. Each has flows and a token of its own."""

from __future__ import annotations

from typing import Any

from .resource import Resource
from .writing import FullService

__all__ = ["Device", "DeviceService"]


class Device(Resource, total=False):
    """A device, as `api.device` returns it."""

    path: str
    displayName: str
    description: str
    tokenId: str
    tokenString: str
    status: str
    lastSeen: int
    timeSinceLastSeen: int
    reportPeriodicity: int
    deviceSummary: dict[str, Any]
    tracks: list[Any]


class DeviceService(FullService[Device]):
    """`api.device`. A device has a `path`.

    `create` makes its flows, `<path>/default`, `<path>/command` and `<path>/report`, and a token that reads
    and writes the drops below the path. The token's string is the `tokenString` of what `create` returns, and
    is shown nowhere else. `status` is UNSEEN until the token is used, then SEEN; `lastSeen` says when (ms
    since the epoch), `timeSinceLastSeen` how long ago (ms; -1 while UNSEEN). Deleting a device deletes its
    token.
    """

    name = "device"
    path = "/device"

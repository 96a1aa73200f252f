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
    status: str
    lastSeen: int
    timeSinceLastSeen: int
    reportPeriodicity: int
    deviceSummary: dict[str, Any]
    tracks: list[Any]


class DeviceService(FullService[Device]):
    """`api.device`. A device has a `path`. Its flows are created below it."""

    name = "device"
    path = "/device"

"""Devices, each with flows and a token of its own."""

from __future__ import annotations

from .resource import FullService

__all__ = ["DeviceService"]


class DeviceService(FullService):
    """`api.device`. A device has a `path`, below which its flows are made."""

    path = "/device"

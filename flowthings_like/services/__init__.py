"""What a user calls: one noun, one module."""

from __future__ import annotations

from .device import DeviceService
from .drop import DropService, DropServiceFactory
from .flow import FlowService
from .group import GroupService
from .identity import IdentityService
from .resource import (
    AbstractServiceFactory,
    BaseService,
    Creatable,
    Deletable,
    Findable,
    FullService,
    Saveable,
)
from .share import ShareService
from .statistics import StatisticsService
from .task import APITaskService, MQTTTaskService, RSSTaskService
from .token import TokenService
from .track import TrackService
from .websocket import WebSocketService

__all__ = [
    "APITaskService",
    "AbstractServiceFactory",
    "BaseService",
    "Creatable",
    "Deletable",
    "DeviceService",
    "DropService",
    "DropServiceFactory",
    "Findable",
    "FlowService",
    "FullService",
    "GroupService",
    "IdentityService",
    "MQTTTaskService",
    "RSSTaskService",
    "Saveable",
    "ShareService",
    "StatisticsService",
    "TokenService",
    "TrackService",
    "WebSocketService",
]

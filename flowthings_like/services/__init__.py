"""What a user calls: one noun, one module."""

from __future__ import annotations

from .device import Device, DeviceService
from .drop import Drop, DropService, DropServiceFactory
from .flow import Flow, FlowService
from .group import Group, GroupService
from .identity import Identity, IdentityService
from .resource import BaseService, Findable, Resource
from .share import Share, ShareService
from .statistics import StatisticsService
from .task import APITask, APITaskService, MQTTTask, MQTTTaskService, RSSTask, RSSTaskService
from .token import TokenResource, TokenService
from .track import Simulation, Track, TrackService
from .websocket import WebSocketService
from .writing import AbstractServiceFactory, Creatable, Deletable, FullService, Saveable

__all__ = [
    "APITask",
    "APITaskService",
    "AbstractServiceFactory",
    "BaseService",
    "Creatable",
    "Deletable",
    "Device",
    "DeviceService",
    "Drop",
    "DropService",
    "DropServiceFactory",
    "Findable",
    "Flow",
    "FlowService",
    "FullService",
    "Group",
    "GroupService",
    "Identity",
    "IdentityService",
    "MQTTTask",
    "MQTTTaskService",
    "RSSTask",
    "RSSTaskService",
    "Resource",
    "Saveable",
    "Share",
    "ShareService",
    "Simulation",
    "StatisticsService",
    "TokenResource",
    "TokenService",
    "Track",
    "TrackService",
    "WebSocketService",
]

"""What a user calls: one noun, one module."""

from __future__ import annotations

from .rest.device import Device, DeviceService
from .rest.drop import Drop, DropService, DropServiceFactory
from .rest.flow import Flow, FlowService
from .rest.group import Group, GroupService
from .rest.identity import Identity, IdentityService
from .rest.live import WebSocketService
from .rest.resource import BaseService, Findable, Resource
from .rest.share import Share, ShareService
from .rest.statistics import StatisticsService
from .rest.task import APITask, APITaskService, MQTTTask, MQTTTaskService, RSSTask, RSSTaskService
from .rest.token import TokenResource, TokenService
from .rest.track import Simulation, Track, TrackService
from .rest.writing import AbstractServiceFactory, Creatable, Deletable, FullService, Saveable

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

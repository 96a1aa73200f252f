"""The services that every API has.

Written by `python -m tools.parallel_types` from the modules in this folder; not to be edited.
"""

from __future__ import annotations

from .device import Device, DeviceService
from .drop import Drop, DropService, DropServiceFactory, ParentDrop
from .flow import Flow, FlowService
from .group import Group, GroupService
from .identity import Identity, IdentityService
from .live import WebSocketService
from .resource import BaseService, Findable, Resource
from .share import Share, ShareService
from .statistics import StatisticsService
from .task import APITask, APITaskService, MQTTTask, MQTTTaskService, RSSTask, RSSTaskService, Task
from .token import TokenResource, TokenService
from .track import Simulation, Track, TrackService
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
    "ParentDrop",
    "RSSTask",
    "RSSTaskService",
    "Resource",
    "Saveable",
    "Share",
    "ShareService",
    "Simulation",
    "StatisticsService",
    "Task",
    "TokenResource",
    "TokenService",
    "Track",
    "TrackService",
    "WebSocketService",
]


class Services:
    """The services of an API, each an attribute: `api.flow` is a FlowService."""

    api_task: APITaskService
    device: DeviceService
    drop: DropServiceFactory
    flow: FlowService
    group: GroupService
    identity: IdentityService
    mqtt_task: MQTTTaskService
    rss_task: RSSTaskService
    share: ShareService
    statistics: StatisticsService
    token: TokenService
    track: TrackService
    websocket: WebSocketService


SERVICES: dict[str, type[BaseService]] = {
    "api_task": APITaskService,
    "device": DeviceService,
    "drop": DropServiceFactory,
    "flow": FlowService,
    "group": GroupService,
    "identity": IdentityService,
    "mqtt_task": MQTTTaskService,
    "rss_task": RSSTaskService,
    "share": ShareService,
    "statistics": StatisticsService,
    "token": TokenService,
    "track": TrackService,
    "websocket": WebSocketService,
}
"""The class of each of them, by its name."""

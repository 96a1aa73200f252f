"""Flows: the named places that hold drops."""

from __future__ import annotations

from typing import Any

from .resource import Resource
from .writing import FullService

__all__ = ["Flow", "FlowService"]


class Flow(Resource, total=False):
    """A flow, as `api.flow` returns it."""

    path: str
    capacity: int
    filter: str
    description: str
    name: str
    displayName: str
    public: bool
    metadata: dict[str, Any]
    index: list[str]


class FlowService(FullService[Flow]):
    """`api.flow`. A flow has a `path`, a `capacity` (1000 drops unless given) and may have a `filter`."""

    name = "flow"
    path = "/flow"

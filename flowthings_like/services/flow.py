"""Flows: the named places that drops go to."""

from __future__ import annotations

from .resource import FullService

__all__ = ["FlowService"]


class FlowService(FullService):
    """`api.flow`. A flow has a `path`, a `capacity` (1000 drops unless given) and may have a `filter`."""

    path = "/flow"

"""Groups of identities, to share with."""

from __future__ import annotations

from .resource import FullService

__all__ = ["GroupService"]


class GroupService(FullService):
    """`api.group`. A group has `memberIds`."""

    path = "/group"

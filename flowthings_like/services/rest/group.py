"""Groups of identities, to which rights can be given."""

from __future__ import annotations

from .resource import Resource
from .writing import FullService

__all__ = ["Group", "GroupService"]


class Group(Resource, total=False):
    """A group, as `api.group` returns it."""

    memberIds: list[str]
    displayName: str
    description: str


class GroupService(FullService[Group]):
    """`api.group`. A group has `memberIds`."""

    name = "group"
    path = "/group"

"""Shares: rights that are given to another identity or a group."""

from __future__ import annotations

from .resource import Findable, Resource
from .writing import Creatable, Deletable

__all__ = ["Share", "ShareService"]


class Share(Resource, total=False):
    """A share, as `api.share` returns it."""

    issuedTo: str
    issuedBy: str
    paths: dict[str, dict[str, bool]]
    description: str
    duration: int
    expiresInMs: int


class ShareService(Findable[Share], Creatable[Share], Deletable):
    """`api.share`. A share is immutable: it can be created, read, found and deleted."""

    name = "share"
    path = "/share"

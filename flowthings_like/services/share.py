"""Shares: rights given to another identity or a group."""

from __future__ import annotations

from .resource import Creatable, Deletable, Findable

__all__ = ["ShareService"]


class ShareService(Findable, Creatable, Deletable):
    """`api.share`. A share is immutable: it is created, read, found and deleted."""

    path = "/share"

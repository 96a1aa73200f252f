"""Tokens: secrets with restricted rights, made by the holder of a master token."""

from __future__ import annotations

from .resource import Creatable, Deletable, Findable

__all__ = ["TokenService"]


class TokenService(Findable, Creatable, Deletable):
    """`api.token`. A token is immutable: it is created, read, found and deleted."""

    path = "/token"

"""Identities: the people and programs of an account."""

from __future__ import annotations

from typing import Any

from .resource import Resource
from .writing import FullService

__all__ = ["Identity", "IdentityService"]


class Identity(Resource, total=False):
    """An identity, as `api.identity` returns it."""

    name: str
    email: str
    salutation: str
    firstName: str
    middleName: str
    lastName: str
    icon: str
    groupIds: list[str]
    shares: dict[str, Any]
    masterToken: str


class IdentityService(FullService[Identity]):
    """`api.identity`. Ordinary accounts may only read and update their own identities."""

    name = "identity"
    path = "/identity"

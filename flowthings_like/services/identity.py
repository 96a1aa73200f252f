"""Identities: the people and programs of an account."""

from __future__ import annotations

from .resource import FullService

__all__ = ["IdentityService"]


class IdentityService(FullService):
    """`api.identity`. The platform lets ordinary accounts read and update theirs, nothing else."""

    path = "/identity"

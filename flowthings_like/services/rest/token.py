"""Tokens: secrets with restricted rights. The holder of a master token creates them."""

from __future__ import annotations

from .resource import Findable, Resource
from .writing import Creatable, Deletable

__all__ = ["TokenResource", "TokenService"]


class TokenResource(Resource, total=False):
    """A token, as `api.token` returns it. (The class `Token` is a pair of account and token string.)"""

    paths: dict[str, dict[str, bool]]
    tokenString: str
    issuedBy: str
    description: str
    duration: int
    expiresInMs: int


class TokenService(Findable[TokenResource], Creatable[TokenResource], Deletable):
    """`api.token`. A token is immutable: it can be created, read, found and deleted."""

    name = "token"
    path = "/token"

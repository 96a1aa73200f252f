"""The rights that an account's shares give to the identities of other accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import sqlalchemy as sql

from ...store.schema import resources
from . import expiry, rights

if TYPE_CHECKING:
    from .rights import Grants


class SharedGrants(NamedTuple):
    """The rights that shares give to an identity, and for how many ms all of them last (None: for ever)."""

    grants: Grants
    remaining: int | None


def grants_of(connection: sql.Connection, account: str, identity: str) -> SharedGrants:
    """The rights of `identity` in `account` by the shares issued to it, directly or through a group."""
    granted: Grants = ()
    ends = []
    for share in _all(connection, "share", account):
        left = expiry.remaining(share)
        if left == 0:
            continue
        to = share["issuedTo"]
        if to == identity or (to[0] == "g" and identity in _members(connection, to)):
            granted += rights.grants(share["paths"])
            if left is not None:
                ends.append(left)
    return SharedGrants(granted, min(ends, default=None))


def _all(connection: sql.Connection, kind: str, account: str) -> list[dict[str, Any]]:
    statement = sql.select(resources.c.body).where(resources.c.kind == kind, resources.c.account == account)
    return [orjson.loads(body) for body in connection.execute(statement).scalars()]


def _members(connection: sql.Connection, group: str) -> list[str]:
    statement = sql.select(resources.c.body).where(resources.c.kind == "group", resources.c.id == group)
    body = connection.execute(statement).scalar_one_or_none()
    return [] if body is None else list(orjson.loads(body)["memberIds"])

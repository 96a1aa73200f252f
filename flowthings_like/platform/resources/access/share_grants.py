"""The rights that an account's shares give to the identities of other accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import sqlalchemy as sql

from ...store.schema import accounts, resources
from . import expiry, rights

if TYPE_CHECKING:
    from .rights import Grants


_DEEPEST = 20
"""Through how many guests, one after the other, a path may be shared further."""


class SharedGrants(NamedTuple):
    """The rights that shares give to an identity, and for how many ms all of them last (None: for ever)."""

    grants: Grants
    remaining: int | None


def grants_of(connection: sql.Connection, account: str, identity: str) -> SharedGrants:
    """The rights of `identity` in `account` by the shares issued to it, directly or through a group.

    A guest that administers a path may share it further. Such a share gives no more than what is still shared
    with the guest.
    """
    return _Shares(connection, account).held_by(identity)


class _Shares:
    """The shares of one account."""

    def __init__(self, connection: sql.Connection, account: str) -> None:
        self._connection = connection
        self._shares = _all(connection, "share", account)
        self._owner = connection.execute(
            sql.select(accounts.c.identity).where(accounts.c.name == account)
        ).scalar_one_or_none()
        self._found: dict[str, SharedGrants] = {}

    def held_by(self, identity: str, depth: int = 0) -> SharedGrants:
        """The rights of an identity, which has them through `depth` others."""
        found = self._found.get(identity)
        if found is not None:
            return found
        self._found[identity] = SharedGrants((), None)  # a share that leads back here adds nothing
        granted: Grants = ()
        ends = []
        for share in self._shares:
            left = expiry.remaining(share)
            if left == 0 or not self._is_for(identity, share):
                continue
            given = rights.grants(share["paths"])
            issuer = share.get("issuedBy")
            if issuer is not None and issuer != self._owner:
                if depth >= _DEEPEST:
                    continue
                held = self.held_by(issuer, depth + 1)
                given = rights.intersection(given, held.grants)
                ends += [] if held.remaining is None else [held.remaining]
            granted += given
            ends += [] if left is None else [left]
        found = self._found[identity] = SharedGrants(granted, min(ends, default=None))
        return found

    def _is_for(self, identity: str, share: Mapping[str, Any]) -> bool:
        to = share["issuedTo"]
        return to == identity or (to[0] == "g" and identity in _members(self._connection, to))


def _all(connection: sql.Connection, kind: str, account: str) -> list[dict[str, Any]]:
    statement = sql.select(resources.c.body).where(resources.c.kind == kind, resources.c.account == account)
    return [orjson.loads(body) for body in connection.execute(statement).scalars()]


def _members(connection: sql.Connection, group: str) -> list[str]:
    statement = sql.select(resources.c.body).where(resources.c.kind == "group", resources.c.id == group)
    body = connection.execute(statement).scalar_one_or_none()
    return [] if body is None else list(orjson.loads(body)["memberIds"])

"""Shares: rights on paths of this account, for the identity of another one or for a group of identities.

Whoever holds several shares has the union of their rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import sqlalchemy as sql

from . import expiry, rights
from .members import checked, identifier, integer, text
from .problems import BadRequest
from .resources import Document, Kind
from .store.schema import resources
from .tokens import require_handing_on

if TYPE_CHECKING:
    from .rights import Caller, Grants

_CENTURY = 100 * 365 * 24 * 3_600_000  # ms


def _check(caller: Caller, document: Document) -> Document:
    members = {"description": text(), "duration": integer(1, _CENTURY), "issuedTo": identifier("ig")}
    share = checked(document, members, required=["issuedTo"])
    if share["issuedTo"] == caller.identity:
        raise BadRequest("issuedTo is your own identity: a share is for somebody else")
    share["paths"] = rights.check(share.get("paths"), caller.account, rights.PERMISSIONS)
    share["issuedBy"] = caller.identity
    return share


SHARE = Kind(
    "share",
    "s",
    check=_check,
    places=lambda share: share["paths"],
    readonly=frozenset({"issuedBy", "expiresInMs"}),
    immutable=True,
    relate=require_handing_on,
    present=expiry.presented,
    grants=True,
)


def grants(connection: sql.Connection, account: str, identity: str) -> Grants:
    """What `identity` may do in `account` by the shares issued to it, directly or through a group."""
    held: Grants = ()
    for share in _all(connection, "share", account):
        if expiry.expired(share):
            continue
        to = share["issuedTo"]
        if to == identity or (to[0] == "g" and identity in _members(connection, to)):
            held += rights.grants(share["paths"])
    return held


def _all(connection: sql.Connection, kind: str, account: str) -> list[Document]:
    statement = sql.select(resources.c.body).where(resources.c.kind == kind, resources.c.account == account)
    return [orjson.loads(body) for body in connection.execute(statement).scalars()]


def _members(connection: sql.Connection, group: str) -> list[str]:
    statement = sql.select(resources.c.body).where(resources.c.kind == "group", resources.c.id == group)
    body = connection.execute(statement).scalar_one_or_none()
    return [] if body is None else list(orjson.loads(body)["memberIds"])

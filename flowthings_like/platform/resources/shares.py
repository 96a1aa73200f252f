"""Shares: rights on paths of this account, for the identity of another one or for a group of identities.

An identity with several shares has the union of their rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sql

from ..problems import BadRequest
from ..store.schema import resources
from . import identities
from .access import expiry, rights
from .base.members import identifier, integer, text
from .base.resource import Document, Resource

if TYPE_CHECKING:
    from .access.rights import Caller


def _check(caller: Caller, share: Document) -> Document:
    if share["issuedTo"] == caller.identity:
        raise BadRequest("issuedTo is your own identity: a share is for somebody else")
    share["paths"] = rights.check(share.get("paths"), caller.account, rights.PERMISSIONS)
    share["issuedBy"] = caller.identity
    return share


def _before_write(connection: sql.Connection, caller: Caller, share: Document, _: Document | None) -> None:
    rights.require_to_grant(caller, share["paths"])
    to = share["issuedTo"]
    if to[0] == "i":
        identities.require(connection, [to], "issuedTo")
    elif not _exists(connection, to, caller.account):
        raise BadRequest(f"issuedTo: there is no group {to} in the account {caller.account}")


def _exists(connection: sql.Connection, group: str, account: str) -> bool:
    statement = sql.select(resources.c.id).where(
        resources.c.kind == "group", resources.c.id == group, resources.c.account == account
    )
    return connection.execute(statement).first() is not None


SHARE = Resource(
    "share",
    "s",
    members={
        "description": text(),
        "duration": integer(1, expiry.LONGEST),
        "issuedTo": identifier("ig"),
        "paths": rights.member(rights.PERMISSIONS),
    },
    required=("issuedTo",),
    readonly=frozenset({"issuedBy", "expiresInMs"}),
    paths_of=lambda share: share["paths"],
    immutable=True,
    check=_check,
    before_write=_before_write,
    present=expiry.presented,
    grants_rights=True,
)

"""Shares: rights on paths of this account, for the identity of another one or for a group of identities.

Whoever holds several shares has the union of their rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sql

from ..problems import BadRequest
from ..store.schema import resources
from . import identities
from .access import expiry, rights
from .base.members import checked, identifier, integer, text
from .base.verbs import Document, Kind
from .tokens import require_handing_on

if TYPE_CHECKING:
    from .access.rights import Caller

_CENTURY = 100 * 365 * 24 * 3_600_000  # ms


def _check(caller: Caller, document: Document) -> Document:
    members = {"description": text(), "duration": integer(1, _CENTURY), "issuedTo": identifier("ig")}
    share = checked(document, members, required=["issuedTo"])
    if share["issuedTo"] == caller.identity:
        raise BadRequest("issuedTo is your own identity: a share is for somebody else")
    share["paths"] = rights.check(share.get("paths"), caller.account, rights.PERMISSIONS)
    share["issuedBy"] = caller.identity
    return share


def _relate(connection: sql.Connection, caller: Caller, document: Document, before: Document | None) -> None:
    require_handing_on(connection, caller, document, before)
    to = document["issuedTo"]
    if to[0] == "i":
        identities.require(connection, [to], "issuedTo")
    elif not _exists(connection, to, caller.account):
        raise BadRequest(f"issuedTo: there is no group {to} in the account {caller.account}")


def _exists(connection: sql.Connection, group: str, account: str) -> bool:
    statement = sql.select(resources.c.id).where(
        resources.c.kind == "group", resources.c.id == group, resources.c.account == account
    )
    return connection.execute(statement).first() is not None


SHARE = Kind(
    "share",
    "s",
    check=_check,
    members=frozenset({"description", "duration", "issuedTo", "paths"}),
    places=lambda share: share["paths"],
    readonly=frozenset({"issuedBy", "expiresInMs"}),
    immutable=True,
    relate=_relate,
    present=expiry.presented,
    grants=True,
)

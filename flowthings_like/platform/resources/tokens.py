"""Tokens: rights on paths of one account, for the holder of the token's string.

A token reads the objects (flows, tracks, …) at and beneath its paths and reads or writes drops there as its
permissions say; only `administer` lets it write objects and issue tokens of its own. The string is shown
once, at creation: what is stored is its hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..store.schema import resources, token_hashes
from .access import expiry, rights
from .access.token_strings import RESTRICTED_LENGTH, hashed, new_string
from .base.members import integer, text
from .base.resource import Document, Resource

if TYPE_CHECKING:
    import sqlalchemy as sql

    from .access.rights import Caller

GRANTED = ("dropRead", "dropWrite", "read", "administer")
"""Permissions that a token can carry; `read` comes with any of them."""


def _check(caller: Caller, token: Document) -> Document:
    token["paths"] = rights.check(token.get("paths"), caller.account, GRANTED)
    token["issuedBy"] = caller.identity
    return token


def _before_write(_: sql.Connection, caller: Caller, token: Document, _before: Document | None) -> None:
    rights.require_to_grant(caller, token["paths"])


def _after_create(connection: sql.Connection, caller: Caller, token: Document) -> Document:
    string = new_string(RESTRICTED_LENGTH)
    connection.execute(
        token_hashes.insert().values(hash=hashed(string), account=caller.account, token_id=token["id"])
    )
    return {"tokenString": string}


def _after_delete(connection: sql.Connection, token: Document) -> None:
    connection.execute(token_hashes.delete().where(token_hashes.c.token_id == token["id"]))


def revoke(connection: sql.Connection, token: str) -> None:
    """Delete a token by its id, if it still exists."""
    connection.execute(resources.delete().where(resources.c.id == token))
    _after_delete(connection, {"id": token})


TOKEN = Resource(
    "token",
    "k",
    members={"description": text(), "duration": integer(1, expiry.LONGEST), "paths": rights.member(GRANTED)},
    readonly=frozenset({"tokenString", "issuedBy", "expiresInMs", "deviceId"}),
    paths_of=lambda token: token["paths"],
    immutable=True,
    check=_check,
    before_write=_before_write,
    after_create=_after_create,
    after_delete=_after_delete,
    present=expiry.presented,
    grants_rights=True,
)

"""Tokens: rights on paths of one account, for whoever holds the token's string.

A token reads the objects (flows, tracks, …) at and beneath its paths and reads or writes drops there as its
permissions say; only `administer` lets it write objects and issue tokens of its own. The string is shown
once, at creation: what is stored is its hash.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from ..store.schema import token_hashes
from .access import expiry, rights
from .base.members import checked, integer, text
from .base.verbs import Document, Kind

if TYPE_CHECKING:
    import sqlalchemy as sql

    from .access.rights import Caller, Grants

MASTER_LENGTH = 32
RESTRICTED_LENGTH = 28
GRANTED = ("dropRead", "dropWrite", "read", "administer")
"""Permissions that a token can carry; `read` comes with any of them."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_CENTURY = 100 * 365 * 24 * 3_600_000  # ms


def new_string(length: int) -> str:
    """A fresh token string, `length` random letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def hashed(token: str) -> str:
    """How a token is stored and looked up: SHA-256 in hex. The strings are random, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def grants(token: Document) -> Grants:
    """The rights that a stored token carries."""
    return rights.grants(token["paths"], always=frozenset({"read"}))


def _check(caller: Caller, document: Document) -> Document:
    token = checked(document, {"description": text(), "duration": integer(1, _CENTURY)})
    token["paths"] = rights.check(token.get("paths"), caller.account, GRANTED)
    token["issuedBy"] = caller.identity
    return token


def require_handing_on(
    _c: sql.Connection, caller: Caller, document: Document, _before: Document | None
) -> None:
    """Only who administers a path hands on rights to it."""
    for path in document["paths"]:
        caller.require(path, "administer")


def _created(connection: sql.Connection, caller: Caller, document: Document) -> Document:
    string = new_string(RESTRICTED_LENGTH)
    connection.execute(
        token_hashes.insert().values(hash=hashed(string), account=caller.account, token_id=document["id"])
    )
    return {"tokenString": string}


def _deleted(connection: sql.Connection, document: Document) -> None:
    connection.execute(token_hashes.delete().where(token_hashes.c.token_id == document["id"]))


TOKEN = Kind(
    "token",
    "k",
    check=_check,
    members=frozenset({"description", "duration", "paths"}),
    places=lambda token: token["paths"],
    readonly=frozenset({"tokenString", "issuedBy", "expiresInMs"}),
    immutable=True,
    relate=require_handing_on,
    created=_created,
    deleted=_deleted,
    present=expiry.presented,
    grants=True,
)

"""Identities: who acts. Each account has one, made with the account and staying as long as it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import members
from .problems import Forbidden
from .resources import Document, Kind

if TYPE_CHECKING:
    import sqlalchemy as sql

    from .rights import Caller

_TEXTS = ("email", "firstName", "middleName", "lastName", "salutation", "name", "displayName", "icon")
_MEMBERS = {name: members.text() for name in _TEXTS}


def _check(_caller: Caller, document: Document) -> Document:
    return members.checked(document, _MEMBERS)


def _relate(
    _connection: sql.Connection, _caller: Caller, _document: Document, before: Document | None
) -> None:
    if before is None:
        raise Forbidden("identities are created by a system account only: this account has its own already")


def _deleted(_connection: sql.Connection, _document: Document) -> None:
    raise Forbidden("an account keeps its identity")


IDENTITY = Kind(
    "identity",
    "i",
    check=_check,
    readonly=frozenset({"groupIds", "masterToken", "shares"}),
    relate=_relate,
    deleted=_deleted,
)

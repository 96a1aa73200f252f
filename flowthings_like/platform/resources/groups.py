"""Groups of identities, for shares to be issued to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import identities
from .base.members import checked, ids, text
from .base.verbs import Document, Kind

if TYPE_CHECKING:
    import sqlalchemy as sql

    from .access.rights import Caller


_MEMBERS = {"memberIds": ids("i"), "displayName": text(), "description": text()}


def _check(_caller: Caller, document: Document) -> Document:
    return checked(document, _MEMBERS, required=["memberIds"])


def _relate(connection: sql.Connection, _caller: Caller, document: Document, before: Document | None) -> None:
    known = set(before["memberIds"]) if before else set()
    identities.require(connection, [name for name in document["memberIds"] if name not in known], "memberIds")


GROUP = Kind("group", "g", check=_check, members=frozenset(_MEMBERS), relate=_relate, grants=True)

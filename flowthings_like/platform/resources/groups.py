"""Groups of identities, for shares to be issued to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import identities
from .base.members import ids, text
from .base.resource import Document, Resource

if TYPE_CHECKING:
    import sqlalchemy as sql

    from .access.rights import Caller


def _before_write(
    connection: sql.Connection, _caller: Caller, document: Document, before: Document | None
) -> None:
    known = set(before["memberIds"]) if before else set()
    identities.require(connection, [name for name in document["memberIds"] if name not in known], "memberIds")


GROUP = Resource(
    "group",
    "g",
    members={"memberIds": ids("i"), "displayName": text(), "description": text()},
    required=("memberIds",),
    before_write=_before_write,
    grants_rights=True,
)

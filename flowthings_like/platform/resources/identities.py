"""Identities: who creates and edits. Each account has one, which is created with it and stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sql

from ..problems import BadRequest, Forbidden
from ..store.schema import resources
from .base.members import text
from .base.resource import Document, Resource
from .statistics.counters import API_CALLS, DROPS_CREATED

if TYPE_CHECKING:
    from .access.rights import Caller

_TEXTS = ("email", "firstName", "middleName", "lastName", "salutation", "name", "displayName", "icon")
_IN_CHUNKS = 500


def _before_write(
    _connection: sql.Connection, _caller: Caller, _document: Document, before: Document | None
) -> None:
    if before is None:
        raise Forbidden("identities are created by a system account only: this account has its own already")


def _after_delete(_connection: sql.Connection, _document: Document) -> None:
    raise Forbidden("an account keeps its identity")


def require(connection: sql.Connection, wanted: Sequence[str], member: str) -> None:
    """Raise BadRequest unless all these identities exist, of whichever account."""
    for start in range(0, len(wanted), _IN_CHUNKS):
        chunk = wanted[start : start + _IN_CHUNKS]
        found = set(
            connection.execute(
                sql.select(resources.c.id).where(resources.c.kind == "identity", resources.c.id.in_(chunk))
            ).scalars()
        )
        for name in chunk:
            if name not in found:
                raise BadRequest(f"{member}: there is no identity {name}")


IDENTITY = Resource(
    "identity",
    "i",
    members={name: text() for name in _TEXTS},
    readonly=frozenset({"groupIds", "masterToken", "shares"}),
    before_write=_before_write,
    after_delete=_after_delete,
    pointers=("creatorId",),
    public_members=("id", "name", "displayName", "icon"),
    statistics=(API_CALLS, DROPS_CREATED),
)

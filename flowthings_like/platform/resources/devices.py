"""Devices: things in the field. Each reports to a flow, `<path>/default`, made with it and outliving it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import flows
from .access import account_paths
from .base.members import checked, integer, mapping, text
from .base.verbs import Document, Kind, insert

if TYPE_CHECKING:
    import sqlalchemy as sql

    from .access.rights import Caller

_DAY = 24 * 3_600_000  # ms
_MEMBERS = {
    "displayName": text(),
    "description": text(),
    "reportPeriodicity": integer(1000, 365 * _DAY),
    "deviceSummary": mapping,
}


def _check(caller: Caller, document: Document) -> Document:
    device = checked(document, _MEMBERS, required=["path"])
    account_paths.check(device["path"], caller.account)
    account_paths.check(default_flow(device), caller.account)
    defaults = {
        "deviceSummary": {},
        "status": "UNSEEN",
        "timeSinceLastSeen": -1,
        "reportPeriodicity": 60_000,
        "tracks": [],
    }
    return {**defaults, **device}


def _created(connection: sql.Connection, caller: Caller, document: Document) -> Document:
    if flows.id_at(connection, default_flow(document)) is None:
        insert(connection, caller, flows.FLOW, {"path": default_flow(document)})
    return {}


def default_flow(device: Document) -> str:
    """Path of the flow that a device reports to."""
    return f"{device['path']}/default"


DEVICE = Kind(
    "device",
    "v",
    check=_check,
    members=frozenset({*_MEMBERS, "status", "timeSinceLastSeen", "tracks"}),
    path_members=("path",),
    created=_created,
    is_cached=True,
)

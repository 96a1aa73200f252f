"""Devices: things in the field. Each reports to a flow, `<path>/default`, created with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import flows
from .access import account_paths
from .base.members import anything, integer, mapping, text
from .base.resource import Document, Resource
from .base.verbs import insert

if TYPE_CHECKING:
    import sqlalchemy as sql

    from .access.rights import Caller

_DAY = 24 * 3_600_000  # ms


def _check(caller: Caller, document: Document) -> Document:
    account_paths.check(default_flow(document), caller.account)
    return document


def _after_create(connection: sql.Connection, caller: Caller, document: Document) -> Document:
    if flows.id_at(connection, default_flow(document)) is None:
        insert(connection, caller, flows.FLOW, {"path": default_flow(document)})
    return {}


def default_flow(device: Document) -> str:
    """Path of the flow that a device reports to."""
    return f"{device['path']}/default"


DEVICE = Resource(
    "device",
    "v",
    members={
        "displayName": text(),
        "description": text(),
        "reportPeriodicity": integer(1000, 365 * _DAY),
        "deviceSummary": mapping,
        "status": anything,
        "timeSinceLastSeen": anything,
        "tracks": anything,
    },
    required=("path",),
    defaults={
        "deviceSummary": {},
        "status": "UNSEEN",
        "timeSinceLastSeen": -1,
        "reportPeriodicity": 60_000,
        "tracks": [],
    },
    path_members=("path",),
    check=_check,
    after_create=_after_create,
    is_cached=True,
)

"""Devices: things in the field, each with flows and a token of its own.

The flows are `<path>/default`, which the device reports to, `<path>/command` and `<path>/report`. The token
reads and writes the drops at and beneath the device's path. Its string is shown once, when the device is
created. A device is UNSEEN until its token is used for the first time. Deleting a device deletes its token;
the flows stay, because they hold data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sql

from .. import ids
from ..problems import BadRequest
from ..store.schema import resources
from . import flows
from .access import account_paths
from .access.device_sightings import UNSEEN
from .base import verbs
from .base.members import anything, integer, mapping, text
from .base.resource import Document, Resource
from .tokens import TOKEN, revoke

if TYPE_CHECKING:
    from .access.rights import Caller

FLOWS = ("default", "command", "report")
"""The last segments of a device's flows."""

_DAY = 24 * 3_600_000  # ms


def _check(caller: Caller, device: Document) -> Document:
    for path in flows_of(device):
        account_paths.check(path, caller.account)
    return device


def _before_write(
    connection: sql.Connection, _caller: Caller, device: Document, before: Document | None
) -> None:
    if before is not None:
        if before["path"] != device["path"]:
            raise BadRequest(
                f"the path of a device cannot be changed, it is {before['path']}: create another device"
            )
        return
    there = sql.select(resources.c.id).where(
        resources.c.kind == DEVICE.name, resources.c.path == device["path"]
    )
    holder = connection.execute(there).scalars().first()
    if holder is not None:
        raise BadRequest(f"a device with this path exists: {holder}")


def _after_create(connection: sql.Connection, caller: Caller, device: Document) -> Document:
    for path in flows_of(device):
        if flows.id_at(connection, path) is None:
            verbs.insert(connection, caller, flows.FLOW, {"path": path})
    token = verbs.insert(
        connection,
        caller,
        TOKEN,
        {
            "paths": {device["path"]: {"dropRead": True, "dropWrite": True}},
            "description": f"the token of the device {device['path']}",
        },
        {"deviceId": device["id"]},
    )
    device["tokenId"] = token["id"]
    verbs.store_again(connection, DEVICE, device)
    return {"tokenString": token["tokenString"]}


def _after_delete(connection: sql.Connection, device: Document) -> None:
    if "tokenId" in device:  # a device of an earlier version has none
        revoke(connection, device["tokenId"])


def _presented(device: Document) -> Document:
    seen = device.get("lastSeen")
    return {**device, "timeSinceLastSeen": -1 if seen is None else max(0, ids.now_ms() - seen)}


def flows_of(device: Document) -> list[str]:
    """The paths of a device's flows. The first is the one that it reports to."""
    return [f"{device['path']}/{name}" for name in FLOWS]


DEVICE = Resource(
    "device",
    "v",
    members={
        "displayName": text(),
        "description": text(),
        "reportPeriodicity": integer(1000, 365 * _DAY),
        "deviceSummary": mapping,
        "tracks": anything,
    },
    required=("path",),
    defaults={"deviceSummary": {}, "status": UNSEEN, "reportPeriodicity": 60_000, "tracks": []},
    path_members=("path",),
    readonly=frozenset({"tokenId", "tokenString", "status", "lastSeen", "timeSinceLastSeen"}),
    check=_check,
    before_write=_before_write,
    after_create=_after_create,
    after_delete=_after_delete,
    present=_presented,
    is_cached=True,
    grants_rights=True,
)

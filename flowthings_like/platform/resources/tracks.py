"""Tracks: copy the drops that arrive in the source flow and match the filter to the destinations.

Tracks written in JavaScript are refused, because there is no JavaScript engine here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...filters.values import TYPES
from .. import ids
from ..problems import BadRequest
from . import flows
from .access import account_paths
from .base.members import anything, filter_text, flag, mapping, text
from .base.resource import Document, Resource
from .drops import elements
from .drops.flow_cache import compiled
from .statistics.counters import TRACK_HIT, TRACK_PASS

if TYPE_CHECKING:
    import sqlalchemy as sql

    from .access.rights import Caller

NO_JS = (
    "js tracks need the real platform, there is no JavaScript engine here: "
    "give the track a filter and a destination, or read the source and create the drops from your own code"
)


def _no_javascript(_name: str, value: Any) -> Any:
    if value:
        raise BadRequest(NO_JS)
    return value


def _check(caller: Caller, track: Document) -> Document:
    track.pop("js", None)
    for path in destinations(track):
        account_paths.check(path, caller.account, "destination")
    return track


def _before_write(
    connection: sql.Connection, caller: Caller, document: Document, before: Document | None
) -> None:
    # Only what is new must exist: a track whose flow was deleted can still be edited, or disabled.
    known = {before["source"], *destinations(before)} if before else set()
    caller.require(document["source"], "dropRead")
    if document["source"] not in known:
        flows.require(connection, caller, document["source"], "source")
    for path in destinations(document):
        caller.require(path, "dropWrite")
        if path not in known:
            flows.require(connection, caller, path, "destination")


def destinations(track: Document) -> list[str]:
    """Where the track copies to: `destination` is one path or a list of them.

    Raises:
        BadRequest: it is neither, or an empty list.
    """
    destination = track["destination"]
    found = destination if isinstance(destination, list) else [destination]
    if not found or not all(isinstance(path, str) for path in found):
        raise BadRequest("destination must be the path of a flow, or a list of such paths")
    return found


def simulate(request: Any) -> Document:
    """What a track with this filter would do with this drop; nothing is stored.

    Args:
        request: {drop, filter}.

    Returns:
        {drops: [the drop] if it passes and [] if not, log: [], errors: []}.
    """
    if not isinstance(request, dict):
        raise BadRequest("the body must be a JSON object: {drop, filter}")
    if request.get("js"):
        raise BadRequest(NO_JS)
    drop = request.get("drop")
    if not isinstance(drop, dict):
        raise BadRequest("drop is required: a JSON object with elems")
    test = compiled(filter_text("filter", request.get("filter", "")))
    plain, types = elements.accept(drop.get("elems"))
    passes = test is None or test({**drop, "elems": plain, TYPES: types}, ids.now_ms())
    return {"drops": [drop] if passes else [], "log": [], "errors": []}


TRACK = Resource(
    "track",
    "t",
    members={
        "filter": filter_text,
        "description": text(),
        "displayName": text(),
        "disabled": flag,
        "metadata": mapping,
        "destination": anything,
        "js": _no_javascript,
    },
    required=("source", "destination"),
    path_members=("source",),
    check=_check,
    before_write=_before_write,
    actions={"simulate": simulate},
    statistics=(TRACK_HIT, TRACK_PASS),
    is_cached=True,
)

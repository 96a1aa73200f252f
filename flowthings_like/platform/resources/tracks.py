"""Tracks: make drops in the destinations from those that arrive in the source and match the filter.

Without `js` the drops are copied. With it, a function in JavaScript makes of each drop others, or none, and
may say where they go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...filters.values import TYPES
from .. import ids
from ..json_schema import accepts
from ..problems import BadRequest, Problem
from ..scripts.script import Kind, Script
from . import flows
from .access import account_paths
from .access.rights import intersection
from .base.members import filter_text, flag, mapping, text
from .base.resource import Document, Resource
from .drops import elements
from .drops.flow_cache import compiled
from .drops.script_outputs import Source, routed
from .drops.track_script import TrackScript, from_grants, to_grants
from .statistics.counters import TRACK_HIT, TRACK_PASS

if TYPE_CHECKING:
    import sqlalchemy as sql

    from .access.rights import Caller, Grants
    from .drops.resource_store import ResourceStore

LONGEST_JS = 128 * 1024
"""Most characters of a track's script."""

_ROUTING = ("source", "filter", "destination")
"""The members that say which drops a script is run on, and where they go."""

_source = text(LONGEST_JS)


@accepts({"anyOf": [account_paths.SCHEMA, {"type": "array", "items": account_paths.SCHEMA, "minItems": 1}]})
def _destination(_name: str, value: Any) -> Any:
    """A path or a list of paths. Which, is checked with the caller known."""
    return value


def _check_script(store: ResourceStore, caller: Caller, members: Mapping[str, Any]) -> None:
    """Refuse a script that does not compile. The caller's share of the time is used, not the account's."""
    given = members.get("js")
    if given:
        store.scripts.check(Script(Kind.TRACK, _source("js", given), caller.identity))


def _check(caller: Caller, track: Document) -> Document:
    if not track.get("js"):
        track.pop("js", None)
        if "destination" not in track:
            raise BadRequest("destination is required, unless js says where the drops go")
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
    if "js" not in document:
        document.pop("jsRights", None)
    elif before is None or before.get("js") != document["js"]:
        # A script may do what its writer may: who edits the rest of the track later lends it no rights.
        _set_rights(document, caller.rights)
    elif caller.rights is not None and any(before.get(name) != document.get(name) for name in _ROUTING):
        # Nor may they be used to reach further than whoever leads other drops through the script.
        writers = before.get("jsRights")
        both = caller.rights if writers is None else intersection(to_grants(writers), caller.rights)
        _set_rights(document, both)


def _set_rights(track: Document, granted: Grants | None) -> None:
    rights = from_grants(granted)
    if rights is None:
        track.pop("jsRights", None)
    else:
        track["jsRights"] = rights


def destinations(track: Document) -> list[str]:
    """Where the track copies to: `destination` is one path, a list of them, or absent.

    Raises:
        BadRequest: it is something else, or an empty list.
    """
    destination = track.get("destination")
    if destination is None:
        return []
    found = destination if isinstance(destination, list) else [destination]
    if not found or not all(isinstance(path, str) for path in found):
        raise BadRequest("destination must be the path of a flow, or a list of such paths")
    return found


def simulate(store: ResourceStore, caller: Caller, request: Any) -> Document:
    """What a track with this filter and script would do with this drop; nothing is stored.

    Args:
        request: {drop, filter, js}; the drop has `elems`, and the other two may be left out.

    Returns:
        {drops, log, errors}. drops: those that the script returned, each with its `path` if it said one;
        without a script the drop itself. They are empty if the filter does not match, or the script failed.
        log: {line_no, message} for each line that the script logged. errors: messages.
    """
    if not isinstance(request, dict):
        raise BadRequest("the body must be a JSON object: {drop, filter, js}")
    drop, js = request.get("drop"), request.get("js")
    if not isinstance(drop, dict):
        raise BadRequest("drop is required: a JSON object with elems")
    test = compiled(filter_text("filter", request.get("filter", "")))
    plain, types = elements.accept(drop.get("elems"))
    found: Document = {"drops": [], "log": [], "errors": []}
    if test is not None and not test({**drop, "elems": plain, TYPES: types}, ids.now_ms()):
        return found
    if not js:
        found["drops"] = [drop]
        return found
    script = Script(Kind.TRACK, _source("js", js), caller.identity)
    source = Source({**drop, "elems": plain})
    (run,) = store.scripts.run(script, [source.drop], store.script_answers(caller))
    found["log"] = run.log
    try:
        outputs = routed(TrackScript("", script, ("",), caller), source, run.value)
    except Problem as problem:
        run.error = problem.message
    if run.error is not None:
        found["errors"] = [run.error]
    else:
        found["drops"] = [output.as_model() for output in outputs]
    return found


TRACK = Resource(
    "track",
    "t",
    members={
        "filter": filter_text,
        "description": text(),
        "displayName": text(),
        "disabled": flag,
        "metadata": mapping,
        "destination": _destination,
        "js": _source,
    },
    required=("source",),
    path_members=("source",),
    readonly=frozenset({"jsRights"}),
    check=_check,
    before_transaction=_check_script,
    before_write=_before_write,
    actions={"simulate": simulate},
    statistics=(TRACK_HIT, TRACK_PASS),
    is_cached=True,
)

"""Tracking: copies drops that arrive in a flow along the tracks that begin there.

A copy is a drop of its own in the destination: its own id, the same creator, age and elements, and the drop
it was copied from as `parentDropId`. It has no fhash, which belongs to the flow it was given for. What the
script of a track makes of a drop is such a copy, with elements of its own. Copies are tracked in turn. A
chain of tracks visits no flow twice, so circles end by themselves. A create whose chains reach too many flows
is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import orjson

from ...problems import BadRequest, Problem
from ..statistics.counters import DROP_ADDED, TRACK_HIT, TRACK_PASS, TRACKED
from .arrival import Arrival

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..statistics.counters import Counts
    from .flow_cache import Flow, FlowCache
    from .script_outputs import Output
    from .script_runs import Place, ScriptRuns
    from .track_script import TrackScript

MOST_VISITS = 1000
"""Most destinations that one create may reach, counted anew for every chain of tracks."""

MOST_COPIES = 200_000
"""Most copies that one create may make."""


@dataclass(slots=True)
class _Result:
    """One drop that a track's script has made of another."""

    source: Arrival
    output: Output
    place: Place


class Tracker:
    """Follows the tracks of one create and collects the copies; it reads tracks and writes nothing.

    Attributes:
        arrived: (flow, the copies that arrived there), in the order of the visits.
    """

    def __init__(
        self,
        connection: Connection,
        cache: FlowCache,
        counts: Counts,
        now: int,
        scripts: ScriptRuns,
    ) -> None:
        self.arrived: list[tuple[Flow, list[Arrival]]] = []
        self._connection = connection
        self._cache = cache
        self._counts = counts
        self._now = now
        self._scripts = scripts
        self._copies = 0

    def follow(self, flow: Flow, arrivals: list[Arrival], visited: frozenset[str] = frozenset()) -> None:
        """Copy `arrivals`, just come into `flow`, along its tracks and onwards.

        Args:
            flow: where they are.
            arrivals: at least one.
            visited: paths of the flows that this chain has been through before.

        Raises:
            BadRequest: the tracks lead too far.
        """
        visited |= {flow.path}
        for track in self._cache.tracks(self._connection, flow.path):
            passes = track.passes
            passed = arrivals if passes is None else [a for a in arrivals if passes(a.filtered(), self._now)]
            self._counts[TRACK_HIT.name, track.id] += len(arrivals)
            self._counts[TRACK_PASS.name, track.id] += len(passed)
            if not passed:
                continue
            if track.script is None:
                for number, path in enumerate(track.destinations):
                    if path not in visited:
                        self._visit(path, partial(self._copied, passed, (track.id, number)), visited)
            else:
                for path, results in self._results(track.id, track.script, passed).items():
                    if path not in visited:
                        self._visit(path, partial(self._made, results), visited)

    def _copied(self, arrivals: list[Arrival], place: Place, flow: Flow) -> list[Arrival]:
        """Copies for a flow."""
        return [_copy(one, flow, self._scripts.copy_id(one.document, place)) for one in arrivals]

    def _results(self, track: str, script: TrackScript, arrivals: list[Arrival]) -> dict[str, list[_Result]]:
        """What a track's script has made of drops, by the paths where it goes."""
        by_path: dict[str, list[_Result]] = {}
        for arrival in arrivals:
            outputs = self._scripts.outputs(script, arrival.document, arrival.row["types"])
            for number, output in enumerate(outputs):
                by_path.setdefault(output.path, []).append(_Result(arrival, output, (track, number)))
        return by_path

    def _made(self, results: list[_Result], flow: Flow) -> list[Arrival]:
        """What a track's script has made of drops, as drops for a flow."""
        made = []
        for result in results:
            output = result.output
            copy = _copy(result.source, flow, self._scripts.copy_id(result.source.document, result.place))
            copy.document["elems"] = output.elems
            copy.document.pop("location", None)
            if output.location is not None:
                copy.document["location"] = output.location
            copy.row.update(output.columns)
            made.append(copy)
        return made

    def _visit(self, path: str, make: Callable[[Flow], list[Arrival]], visited: frozenset[str]) -> None:
        try:
            flow = self._cache.flow(self._connection, path)
        except Problem:  # it was deleted, or does not exist yet: the track does nothing
            return
        copies = make(flow)
        accepts = flow.accepts
        if accepts is not None:
            copies = [copy for copy in copies if accepts(copy.filtered(), self._now)]
        if not copies:
            return
        self._copies += len(copies)
        if len(self.arrived) >= MOST_VISITS or self._copies > MOST_COPIES:
            raise BadRequest(
                f"the tracks from here lead to more than {MOST_VISITS} flows or {MOST_COPIES} copies, "
                f"the last at {path}: disable some of them, or write fewer drops at a time"
            )
        self.arrived.append((flow, copies))
        self._counts[TRACKED.name, flow.id] += len(copies)
        self._counts[DROP_ADDED.name, flow.id] += len(copies)
        self.follow(flow, copies, visited)


def _copy(arrival: Arrival, flow: Flow, drop_id: str) -> Arrival:
    source = arrival.document
    parent = {"flowId": source["flowId"], "dropId": source["id"]}
    document = {**source, "id": drop_id, "flowId": flow.id, "path": flow.path, "parentDropId": parent}
    document.pop("fhash", None)
    row = {
        **arrival.row,
        "id": drop_id,
        "flow_id": flow.id,
        "fhash": None,
        "parent": orjson.dumps(parent).decode(),
    }
    return Arrival(document, row)

"""Tracking: copies drops that arrive in a flow along the tracks that begin there.

A copy is a drop of its own in the destination: its own id, the same creator, age and elements, and the drop
it was copied from as `parentDropId`. It has no fhash, which belongs to the flow it was given for. What the
script of a track makes of a drop is such a copy, with elements of its own. Copies are tracked in turn. A
chain of tracks visits no flow twice, so circles end by themselves. A create whose chains reach too many flows
is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from ....filters.values import TYPES
from ...problems import BadRequest, Problem
from ..statistics.counters import DROP_ADDED, TRACK_HIT, TRACK_PASS, TRACKED

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..statistics.counters import Counts
    from .flow_cache import Flow, FlowCache, Track
    from .script_outputs import Output
    from .script_runs import ScriptRuns

MOST_VISITS = 1000
"""Most destinations that one create may reach, counted anew for every chain of tracks."""

MOST_COPIES = 200_000
"""Most copies that one create may make."""


@dataclass(slots=True)
class Arrival:
    """A drop on its way into a flow: the document that readers will see, and the row that is stored."""

    document: dict[str, Any]
    row: dict[str, Any]

    def filtered(self) -> dict[str, Any]:
        """The document for filters, with the types that the writer stated."""
        types = self.row["types"]
        return self.document if types is None else {**self.document, TYPES: orjson.loads(types)}


@dataclass(slots=True)
class _Planned:
    """A copy to be made.

    Attributes:
        arrival: the drop that is copied.
        place: the track, and which of its copies of this drop it is.
        output: what the track's script has made of the drop; None without a script.
    """

    arrival: Arrival
    place: tuple[str, int]
    output: Output | None = None


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
            for path, planned in self._planned(track, passed):
                if planned and path not in visited:
                    self._visit(path, planned, visited)

    def _planned(self, track: Track, passed: list[Arrival]) -> list[tuple[str, list[_Planned]]]:
        """The copies that a track makes, by the paths that they go to."""
        if track.script is None:
            return [
                (path, [_Planned(arrival, (track.id, place)) for arrival in passed])
                for place, path in enumerate(track.destinations)
            ]
        by_path: dict[str, list[_Planned]] = {}
        for arrival in passed:
            outputs = self._scripts.outputs(track.script, arrival.document, arrival.row["types"])
            for place, output in enumerate(outputs):
                by_path.setdefault(output.path, []).append(_Planned(arrival, (track.id, place), output))
        return list(by_path.items())

    def _visit(self, path: str, planned: list[_Planned], visited: frozenset[str]) -> None:
        try:
            flow = self._cache.flow(self._connection, path)
        except Problem:  # it was deleted, or does not exist yet: the track does nothing
            return
        copies = [self._copy(plan, flow) for plan in planned]
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

    def _copy(self, plan: _Planned, flow: Flow) -> Arrival:
        source, output = plan.arrival.document, plan.output
        drop_id = self._scripts.copy_id(source, plan.place)
        parent = {"flowId": source["flowId"], "dropId": source["id"]}
        document = {**source, "id": drop_id, "flowId": flow.id, "path": flow.path, "parentDropId": parent}
        document.pop("fhash", None)
        row = {
            **plan.arrival.row,
            "id": drop_id,
            "flow_id": flow.id,
            "fhash": None,
            "parent": orjson.dumps(parent).decode(),
        }
        if output is not None:
            document["elems"] = output.elems
            document.pop("location", None)
            if output.location is not None:
                document["location"] = output.location
            row.update(output.columns)
        return Arrival(document, row)

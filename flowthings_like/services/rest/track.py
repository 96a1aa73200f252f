"""Tracks: rules that copy drops from one flow to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from .resource import Resource
from .writing import FullService

if TYPE_CHECKING:
    from .arguments import Model
    from .drop import Drop

__all__ = ["Simulation", "Track", "TrackService"]


class Track(Resource, total=False):
    """A track, as `api.track` returns it."""

    source: str
    destination: str
    filter: str
    js: str
    jsRights: dict[str, list[str]]
    description: str
    displayName: str
    disabled: bool
    metadata: dict[str, Any]


class LogLine(TypedDict):
    """A line that a script has logged: what, and in which line of its source (0 if that is not known)."""

    line_no: int
    message: str


class Simulation(TypedDict, total=False):
    """The result of a simulated run. A task's has the `request` that it would make."""

    drops: list[Drop]
    log: list[LogLine]
    errors: list[str]
    request: dict[str, Any]


class TrackService(FullService[Track]):
    """`api.track`. A track has a `source`, a `destination`, and may have a `filter` and `js`."""

    name = "track"
    path = "/track"

    def simulate(self, drop: Model, js: str, **params: Any) -> Simulation:
        """Run a track's function on a drop without storing anything.

        Args:
            drop: the drop to run it on.
            js: the source of a JavaScript function that takes the drop.

        Returns:
            A dict of `drops` (the drops that it returned), `log` and `errors`.
        """
        simulated: Simulation = self._call("POST", "/simulate", {"drop": drop, "js": js}, params)
        return simulated

"""Scripts of tracks: what a track in JavaScript makes of the drops that arrive in its source.

The writer never waits for a script. A create that meets one is refused with `ScriptsNeeded` before anything
is changed. The caller's thread runs the scripts, and the create is made again with their results, until no
further script is met. So the drop and all that its tracks make of it are still written in one transaction.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from ....green.backends.fairness import fair_yield
from ...ids import new_id
from ...problems import Problem
from ...scripts.runner import LARGE, ScriptsTooLong
from .script_outputs import Output, Source, routed

if TYPE_CHECKING:
    from .resource_store import ResourceStore
    from .track_script import TrackScript

log = logging.getLogger("flowthings_like.platform")

TOTAL = 30.0
"""Seconds that the scripts of all tracks that one create meets may take, their waits included."""


class ScriptsNeeded(Problem):
    """A create cannot go on without the results of scripts. It has changed nothing."""

    def __init__(self) -> None:
        super().__init__("the scripts of tracks have to run first")


Place = tuple[str, int]
"""Where a copy comes from: a track's id, and which of that track's copies of the drop it is."""


class ScriptRuns:
    """The results of the scripts that one create has met so far.

    Attributes:
        needed: by track, the drops by id that its script has to be run on.
    """

    def __init__(self) -> None:
        self.needed: dict[TrackScript, dict[str, Source]] = {}
        self._outputs: dict[tuple[str, str], list[Output]] = {}
        self._ids: dict[tuple[str, Place], str] = {}
        self._sizes: Counter[str] = Counter()  # bytes of outputs, by account
        self._keeps_ids = False
        self._used = 0.0

    def outputs(self, track: TrackScript, drop: dict[str, Any], types: str | None) -> list[Output]:
        """What the track's script has returned for a drop; nothing as long as it has to be run.

        Args:
            types: the types that the drop's writer stated, as JSON.
        """
        found = self._outputs.get((track.track, drop["id"]))
        if found is None:
            self.needed.setdefault(track, {})[drop["id"]] = Source(drop, types)
            return []
        return found

    def copy_id(self, source: dict[str, Any], place: Place) -> str:
        """The id of a copy. Once the create has met a script it is the same in every repetition.

        Args:
            source: the drop that is copied.
            place: where the copy comes from.
        """
        if not self._keeps_ids:  # most creates meet no script
            return new_id("d", source["creationDate"])
        key = (source["id"], place)
        found = self._ids.get(key)
        if found is None:
            found = self._ids[key] = new_id("d", source["creationDate"])
        return found

    def run(self, store: ResourceStore) -> None:
        """Run what is needed.

        Raises:
            ScriptsTooLong: the scripts of this create have taken too long.
            TooManyRequests, Unavailable: as ScriptRunner.run.
        """
        needed, self.needed = self.needed, {}
        if not self._keeps_ids:
            # The ids of copies will be others in the repetition: their scripts are met again there.
            self._keeps_ids = True
            needed = {track: _without_copies(drops) for track, drops in needed.items()}
        for track, drops in needed.items():
            started = time.monotonic()
            found = run(store, track, list(drops.values()))
            self._used += time.monotonic() - started
            if self._used > TOTAL:
                raise ScriptsTooLong(
                    f"the scripts of the tracks from here take more than {TOTAL:g} s: write fewer drops at a "
                    "time, or disable some of the tracks"
                )
            for drop, outputs in zip(drops, found, strict=True):
                self._outputs[track.track, drop] = outputs
                self._sizes[track.script.owner] += sum(len(each.columns["elems"]) + 100 for each in outputs)

    def turn(self, store: ResourceStore) -> AbstractContextManager[object]:
        """A block in which the create is made. One with large results of scripts waits there for its turn.

        Raises:
            TooManyRequests, Unavailable: it has waited too long.
        """
        owners = [owner for owner, size in sorted(self._sizes.items()) if size >= LARGE]
        return _turn(store, owners) if owners else nullcontext()


@contextmanager
def _turn(store: ResourceStore, owners: list[str]) -> Iterator[None]:
    with ExitStack() as stack:
        for owner in owners:
            stack.enter_context(store.scripts.large_results(owner))
        yield


def run(store: ResourceStore, track: TrackScript, sources: list[Source]) -> list[list[Output]]:
    """Run a track's script on drops, and return its outputs for each. What fails is logged, and has none."""
    drops = [source.drop for source in sources]
    runs = store.scripts.run(track.script, drops, store.script_answers(track.writer))
    if sum(each.size for each in runs) >= LARGE:
        fair_yield()  # checking them takes milliseconds
    found: list[list[Output]] = []
    failures = 0
    for source, each in zip(sources, runs, strict=True):
        outputs: list[Output] = []
        error = each.error
        if error is None:
            try:
                outputs = routed(track, source, each.value)
            except Problem as problem:
                error = problem.message
        if error is not None:
            failures += 1
            if failures == 1:
                log.warning("the js of track %s failed on drop %s: %s", track.track, source.drop["id"], error)
        found.append(outputs)
    if failures > 1:
        log.warning("the js of track %s failed on %d more drops", track.track, failures - 1)
    return found


def _without_copies(drops: dict[str, Source]) -> dict[str, Source]:
    return {name: source for name, source in drops.items() if "parentDropId" not in source.drop}

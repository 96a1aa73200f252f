"""What was acknowledged survives `kill -9`, and doing it all again ends in the same drops."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from flowthings_like.green.backends import choice as backend
from flowthings_like.platform.resources.drops import verbs
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.resources.query.query import Query

from ...servers.platform_store import place_of
from ..harness import ME, add_flow, add_track, counted, sizes_agree
from . import writing_process

LAST = 1600
EVERYTHING = Query(limit=100_000)


def start(folder: Path, last: int) -> subprocess.Popen[str]:
    script = [
        sys.executable,
        "-W",
        "ignore",
        writing_process.__file__,
        backend.detect().name,
        place_of(folder),
    ]
    root = str(Path(__file__).parents[3])
    return subprocess.Popen(
        [*script, "0", str(last)], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": root}
    )


def killed_after(folder: Path, acknowledged: int) -> set[str]:
    """Run it, kill it once so many drops are acknowledged; all fhashes that it said were written."""
    process = start(folder, LAST)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(acknowledged)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL, "it was done before it was killed"
    return {line.rstrip("\n") for line in said if line.endswith("\n")}


def check(store: Store, flow: str, gales: str, acknowledged: set[str], track: str) -> None:
    found = verbs.find(store, ME, flow, EVERYTHING)
    by_hash = {drop["fhash"]: drop for drop in found}
    assert len(by_hash) == len(found)
    assert acknowledged <= set(by_hash)
    # Each drop and its copy came in one transaction, or neither did; once, however often it was written.
    expected = {drop["id"]: drop["elems"] for drop in found if drop["elems"]["n"] % 3 == 0}
    copies = verbs.find(store, ME, gales, EVERYTHING)
    assert {copy["parentDropId"]["dropId"]: copy["elems"] for copy in copies} == expected
    assert len(copies) == len(expected)
    sizes_agree(store)
    totals = counted(store)
    assert totals["flowDropAdded", flow] == totals["trackHit", track] == len(found)
    assert totals["flowTracked", gales] == totals["trackPass", track] == len(copies)


def test_kill_9(folder: Path) -> None:
    dice = random.Random(9)
    with Store(folder) as store:
        flow = add_flow(store, "/acme/jfk", capacity=100_000)
        gales = add_flow(store, "/acme/gales", capacity=100_000)
        track = add_track(store, "/acme/jfk", "/acme/gales", "elems.n % 3 == 0")
    acknowledged: set[str] = set()
    for _ in range(3):
        acknowledged |= killed_after(folder, dice.randrange(1, 800))
        with Store(folder) as store:
            check(store, flow, gales, acknowledged, track)
    process = start(folder, LAST)
    said: Any = process.communicate(timeout=120)[0]
    assert process.returncode == 0
    with Store(folder) as store:
        check(store, flow, gales, set(said.split()), track)
        assert {drop["fhash"] for drop in verbs.find(store, ME, flow, EVERYTHING)} == {
            f"jfk-{hour}" for hour in range(LAST)
        }

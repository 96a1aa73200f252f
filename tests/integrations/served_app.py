"""The example's application, with routes by which a test looks into the process."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "webapp"))

from app import app, flowthings, newest_of_each_hour, scopes
from flask import jsonify, request

from flowthings_like import doctor
from flowthings_like.green import detect

scopes.timeout = 60  # for a machine that is busy with other things

started: list[str] = []  # of this process, after the last fork or exec


@app.get("/generation")
def generation() -> str:
    """Which process this is, another one after each fork and exec."""
    own = f"{os.getpid()} "
    if not started or not started[-1].startswith(own):
        started.append(f"{own}{time.monotonic_ns()}")
    return started[-1]


@app.get("/process")
def process() -> Any:
    """How the process is set up, and how much it holds."""
    gc.collect()
    kinds = {"RequestScope", "RequestAPI", "LazyAPI", "GreenThunk", "Batcher", "Call", "Connection"}
    ours = [type(each).__name__ for each in gc.get_objects() if type(each).__name__ in kinds]
    return jsonify(
        backend=detect().name,
        findings=[finding.code for finding in doctor()],
        objects=len(gc.get_objects()),
        ours={kind: ours.count(kind) for kind in sorted(kinds)},
        files=len(list(Path("/proc/self/fd").iterdir())),
        threads=threading.active_count(),
        memory=int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
    )


@app.get("/slow")
def slow() -> Any:
    """Begin, wait for a file to appear, and look up 20 hours."""
    folder = Path(request.args["folder"])
    (folder / f"began-{request.args['number']}").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
    return jsonify(hours=newest_of_each_hour(request.args["path"]))


@app.get("/abandoned")
def abandoned() -> Any:
    """Begin calls that take long, and note how they end."""
    folder = Path(request.args["folder"])

    def wait() -> None:
        (folder / "began").touch()
        while True:
            time.sleep(0.02)

    call = flowthings.lazy.call(wait)
    try:
        call.force()
    except Exception as error:
        (folder / "ended").write_text(type(error).__name__)
        raise
    return ""


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """The application, for servers that are told its name."""
    return app(environ, start_response)

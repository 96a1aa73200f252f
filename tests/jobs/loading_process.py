"""Loads a file with a checkpoint, in a process that can be killed.

    python loading_process.py BACKEND FOLDER SINK

The folder has `in.csv` and `data`, a platform. It loads slowly, so that it can be killed in the middle.
"""

import sys

backend, place, kind = sys.argv[1:]
if backend == "gevent":
    from gevent import monkey

    monkey.patch_all()
elif backend == "eventlet":
    import eventlet

    eventlet.monkey_patch()

from pathlib import Path  # noqa: E402

from flowthings_like import API, jobs  # noqa: E402
from tests.jobs.sinks import BATCH, SINKS, TYPES  # noqa: E402

folder = Path(place)
with API.embedded(folder / "data") as api:
    jobs.load(
        folder / "in.csv",
        SINKS[kind].make(api),
        types=TYPES,
        batch=BATCH,
        parallel=3,
        calls_per_second=40,
        checkpoint=folder / "checkpoint",
        rejects=folder / "rejects.ndjson",
    )

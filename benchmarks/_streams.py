"""The stream store of an embedded platform in a process of its own, its clients, and points for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from benchmarks._processes import serving_until_closed

RATE = 120
"""Points a second of the streams here."""

START = 1_500_000_000_000_000_000

STORE = """
import sys
from gevent import monkey; monkey.patch_all()
from gevent.os import tp_read
from flowthings_like import API
api = API.embedded(sys.argv[1])
print(*api._platform.streams_address(), flush=True)
tp_read(0, 1)  # waits until stdin is closed, in a native thread
api.close()
"""


def embedded(folder: Path) -> AbstractContextManager[str]:
    """What a benchmark's SERVER is: the store on the last core, as "host port key"."""
    return serving_until_closed(STORE, folder / "platform")


def address() -> tuple[str, int, str]:
    """Where the store is that the environment names: host, port and key."""
    host, port, key = os.environ["BENCHMARK_SERVER"].split()
    return host, int(port), key


def genuine() -> Any:
    """A connection of the genuine btrdb."""
    import warnings

    warnings.simplefilter("ignore")
    import btrdb

    host, port, key = address()
    return btrdb.connect(f"{host}:{port}", apikey=key)


def ours() -> Any:
    """A client of ours."""
    from flowthings_like import streams

    host, port, key = address()
    return streams.connect(endpoint=f"{host}:{port}", apikey=key)


def new_stream(client: Any) -> Any:
    """A new stream, of a client of either kind."""
    uuid = uuid4()
    return client.create(uuid, "bench", tags={"name": str(uuid)})


def points(count: int, first: int = 0) -> tuple[Any, Any]:
    """Times and values that look like a sensor's: 120 a second with 20 us of jitter, and a random walk whose
    values have three decimals."""
    import numpy as np

    rng = np.random.default_rng(first + 1)
    times = START + (np.arange(first, first + count) * 1_000_000_000) // RATE
    times += rng.integers(-20_000, 20_000, count)
    return times, np.round(120 + np.cumsum(rng.normal(0, 0.01, count)), 3)


def seconds(call: Callable[[], Any]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def loaded(folder: Path, count: int, streams: int = 1) -> tuple[Any, list[UUID]]:
    """An open store in this process, with streams of `count` points, inserted a million at a time."""
    from flowthings_like.platform.streams.store import StreamStore

    folder.mkdir(parents=True, exist_ok=True)
    store = StreamStore(folder)
    uuids = [uuid4() for _ in range(streams)]
    for uuid in uuids:
        store.create("acme", uuid, "bench", {"name": str(uuid)}, {})
        for first in range(0, count, 1_000_000):
            store.insert("acme", uuid, *points(min(1_000_000, count - first), first))
    return store, uuids

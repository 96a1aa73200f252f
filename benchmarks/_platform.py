"""Our own platform as a server, on a core of its own, with 10,000 drops to read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from flowthings_like import API

from benchmarks._processes import on_last_core
from benchmarks._weather import drops

DROPS = 10_000


class Served(NamedTuple):
    """Where the platform of this run is, and what is in it."""

    host: str
    token: str
    flow: str
    ids: list[str]

    def api(self, **options: Any) -> API:
        """A client of it."""
        from flowthings_like import API, Token

        return API(Token("acme", self.token), host=self.host, secure=False, **options)


def served() -> Served:
    """The platform that serves this run."""
    return Served(**json.loads(Path(os.environ["BENCHMARK_SERVER"]).read_text()))


@contextmanager
def platform(folder: Path) -> Iterator[str]:
    """A running platform; yields the file that tells `served` about it."""
    command = [
        sys.executable,
        "-m",
        "flowthings_like.cli.main",
        "serve",
        "--data",
        str(folder),
        "--port",
        "0",
    ]
    with on_last_core(command, stdout=subprocess.PIPE) as server:
        said: dict[str, str] = {}
        assert server.stdout is not None
        while "listening" not in said:
            name, _, value = server.stdout.readline().strip().partition(": ")
            said[name] = value
        found = Served(said["listening"].partition("://")[2].rstrip("/"), said["token"], "", [])
        with found.api() as api:
            flow = api.flow.create({"path": "/acme/weather", "capacity": 100_000})["id"]
            models = drops()[:DROPS]
            ids = [
                drop["id"]
                for first in range(0, DROPS, 1000)
                for drop in api.drop(flow).create_many(models[first : first + 1000])
            ]
        told = folder / "served.json"
        told.write_text(json.dumps(found._replace(flow=flow, ids=ids)._asdict()))
        time.sleep(0.5)  # for the load to be over
        yield str(told)

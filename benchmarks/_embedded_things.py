"""The node of an embedded platform, in a process of its own and on gevent, as `serve` runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._processes import on_last_core

ROOM = ".room.id();"
"""Code that gives the id of a room in the collection `stuff`."""

NODE = """
import sys
from gevent import monkey; monkey.patch_all()
from gevent.os import tp_read
from flowthings_like import API
api = API.embedded(sys.argv[1])
host, port, user, password = api.things.address()
api.things.query(".room = room(); nil;", scope="//stuff")
print(f"{user}:{password}@{host}:{port}", flush=True)
tp_read(0, 1)  # waits until stdin is closed, in a native thread
api.close()
"""


@contextmanager
def embedded(folder: Path) -> Iterator[str]:
    """What a benchmark's SERVER is: the node on the last core, with a room in the collection `stuff`."""
    command = [sys.executable, "-c", NODE, str(folder / "platform")]
    with on_last_core(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        try:
            yield node.stdout.readline().strip()
        finally:
            node.stdin.close()
            node.wait()  # it closes the platform

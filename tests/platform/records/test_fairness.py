"""The hub goes on while much is stored and read."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from flowthings_like.green.backends import choice as backend
from flowthings_like.platform.records.node import Node

COUNT = 300_000

MOST_HELD = 0.02
"""Seconds of the processor that the hub's thread may take between two turns of another green thread."""

CLIENT = f"""
import socket, struct, sys
count = {COUNT}
sizes = eval(sys.argv[2])
record = lambda number: struct.pack("<iqiq", 20 + sizes[number % len(sizes)], number, 3, 4) + bytes(
    sizes[number % len(sizes)])
body = b"".join(map(record, range(count)))
lowest = struct.pack("<iqiqq", 0, -2**63, -2**31, -2**63, -2**63)
highest = struct.pack("<iqiqq", 2**31 - 1, 2**63 - 1, 2**31 - 1, 2**63 - 1, 2**63 - 1)
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
    sock.sendall(struct.pack("<iQii", 5, 0, 1, len(body)) + body + struct.pack("<i", -1))
    file = sock.makefile("rb")
    assert len(file.read(28)) == 28
    sock.sendall(struct.pack("<iQ", 1, 64) + lowest + highest)
    assert len(file.read(36 + len(body) + 12 * count)) == 36 + len(body) + 12 * count
"""


@pytest.mark.needs("green", "OS threads do not wait for each other")
@pytest.mark.parametrize("sizes", [[8], [100], [5, 6, 70]], ids=str)
def test_the_hub_is_not_held(node: Node, sizes: list[int]) -> None:
    here = backend.detect()
    port = node.addresses[0][1]
    process = subprocess.Popen([sys.executable, "-c", CLIENT, str(port), repr(sizes)])
    held = turns = 0.0
    before = time.thread_time()
    while process.poll() is None:
        here.sleep(0.001)
        after = time.thread_time()
        held, turns, before = max(held, after - before), turns + 1, after
    assert process.returncode == 0
    assert held < MOST_HELD
    assert turns > 50

"""A hundred subscribers of one flow, in which a thousand drops are created in a second.

The platform has one core, and the subscribers share the other one with the creator. Each subscriber counts
what comes; a drop that is missing fails the run. The figure cannot exceed 100,000: more is not created.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from benchmarks import Target
from benchmarks._platform import platform, served

TITLE = "pushes to 100 subscribers at 1,000 drops/s, without loss"
UNIT = "pushes/s"
PEER = "100 subscribers, gevent"
SERVER = platform
SUBSCRIBERS = 100
DROPS = 5_000
RATE = 1_000
AT_ONCE = 10


def fan_out(folder: Path) -> float:
    import gevent
    import requests
    import websocket

    from flowthings_like.transport.websocket.frames import MessageParser

    told = served()
    headers = {"X-Auth-Token": told.token, "X-Auth-Account": "acme"}

    def subscriber() -> object:
        session = requests.post(f"http://{told.host}/session", headers=headers).json()["body"]["id"]
        made = websocket.create_connection(f"ws://{told.host}/session/{session}/ws")
        made.send(json.dumps({"msgId": 0, "object": "drop", "type": "subscribe", "flowId": told.flow}))
        assert json.loads(made.recv())["head"]["ok"]
        return made.sock

    def count(sock: object) -> float:
        parser, seen = MessageParser(1 << 20), 0
        while seen < DROPS:
            data = sock.recv(1 << 18)  # type: ignore[attr-defined]
            assert data, f"cut off after {seen} of {DROPS} drops"
            seen += len(parser.feed(data))
        return time.perf_counter()

    sockets = [subscriber() for _ in range(SUBSCRIBERS)]
    counting = [gevent.spawn(count, sock) for sock in sockets]
    with told.api() as api:
        drops = api.drop(told.flow)
        began = time.perf_counter()
        for first in range(0, DROPS, AT_ONCE):
            models = [{"elems": {"n": n, "temp": 39.02}} for n in range(first, first + AT_ONCE)]
            drops.create_many(models)
            gevent.sleep(max(0.0, began + (first + AT_ONCE) / RATE - time.perf_counter()))
        ended = max(counter.get(timeout=120) for counter in counting)
    return SUBSCRIBERS * DROPS / (ended - began)


CONTENDERS = {PEER: fan_out}
TARGETS = [Target(PEER, at_least=95_000)]

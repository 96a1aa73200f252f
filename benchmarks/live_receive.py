"""What one client receives of a flood of live messages: parsed, decoded and handed out."""

from __future__ import annotations

import json
import os
import time
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._canned_live import LAST, PUSHES, canned

TITLE = "live messages received by one client"
UNIT = "messages/s"
PEER = "websocket-client and json"
SERVER = canned()


def _api() -> Any:
    from flowthings_like import API, Token

    return API(Token("acme", "secret"), host=os.environ["BENCHMARK_SERVER"], secure=False)


def websocket_client(folder: Path) -> float:
    import websocket

    socket = websocket.create_connection(f"ws://{os.environ['BENCHMARK_SERVER']}/session/s/ws")
    socket.send(json.dumps({"msgId": 0, "object": "drop", "type": "subscribe", "flowId": "f"}))
    socket.recv()
    began = time.perf_counter()
    for _ in range(PUSHES):
        message = json.loads(socket.recv())
    assert message["resource"] == LAST
    return PUSHES / (time.perf_counter() - began)


def handlers(folder: Path) -> float:
    number, times = count(1), []

    def on_message(ws: Any, resource: str, drop: Any) -> None:
        if next(number) == 1:
            times.append(time.perf_counter())
        if resource == LAST:
            times.append(time.perf_counter())
            ws.close()

    client = _api().websocket.connect(on_message=on_message, on_open=lambda ws: ws.subscribe("f"))
    client.run()
    return PUSHES / (times[1] - times[0])


def follow(folder: Path) -> float:
    follower = _api().drop("f").follow()
    began = time.perf_counter()
    for _ in range(PUSHES):
        next(follower)
    return PUSHES / (time.perf_counter() - began)


CONTENDERS = {
    PEER: websocket_client,
    "connect(), gevent": handlers,
    "connect(), threads": handlers,
    "follow(), gevent": follow,
    "follow(), eventlet": follow,
    "follow(), threads": follow,
}
TARGETS = [
    Target("connect(), gevent", at_least=80_000),
    Target("follow(), gevent", at_least=80_000),
    Target("follow(), threads", at_least=80_000),
]

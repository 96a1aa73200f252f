"""A client of live messages that knows nothing but the protocol: HTTP and WebSocket by other libraries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
import websocket

PATIENCE = 20.0  # seconds, for a machine that is busy with other things


def new_session(url: str, token: str, account: str = "acme") -> str:
    """The id of a new session."""
    headers = {"X-Auth-Token": token, "X-Auth-Account": account}
    answer = requests.post(f"{url}/session", headers=headers, timeout=PATIENCE, verify=False)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["body"]["id"])


class Wire:
    """One WebSocket."""

    def __init__(self, url: str, session_id: str) -> None:
        place = f"{url.replace('http', 'ws', 1)}/session/{session_id}/ws"
        self.socket: Any = websocket.create_connection(place, timeout=PATIENCE, sslopt={"cert_reqs": 0})

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def hear(self) -> Any:
        """The next message."""
        return json.loads(self.socket.recv())

    def ask(self, **message: Any) -> Any:
        """Send a request, and return the next message, which must be its reply."""
        self.say(**message)
        found = self.hear()
        assert "head" in found, found
        return found

    def subscribe(self, flow: str, **members: Any) -> None:
        name = "path" if flow.startswith("/") else "flowId"
        found = self.ask(msgId=1, object="drop", type="subscribe", **{name: flow}, **members)
        assert found["head"]["ok"], found

    def ending(self) -> tuple[int, str]:
        """Wait for a CLOSE frame. Returns its code and reason; (0, "") if the connection ends without one."""
        while True:
            try:
                opcode, data = self.socket.recv_data(control_frame=True)
            except (OSError, websocket.WebSocketException):
                return 0, ""
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big"), data[2:].decode()


@contextmanager
def wire(url: str, token: str, account: str = "acme") -> Iterator[Wire]:
    """A WebSocket in a new session."""
    made = Wire(url, new_session(url, token, account))
    try:
        yield made
    finally:
        made.socket.shutdown()

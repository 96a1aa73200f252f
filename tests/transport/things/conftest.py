"""Fixtures: a node of each kind, and connections that are closed after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from flowthings_like.transport.byte_stream import ByteStream
from flowthings_like.transport.things.connection import PacketConnection
from flowthings_like.transport.things.dialing import dial_node
from flowthings_like.transport.things.endpoints import parse_endpoint
from tests.certificates import certificate
from tests.transport.things.scripted_node import Answer, Node, echo, node

__all__ = ["certificate"]

KINDS = ("tcp", "tls", "ws", "wss", "unix")

Start = Callable[..., AbstractContextManager[Node]]


def ignore(_: object) -> None:
    """Do nothing: a handler for events that are of no interest."""


@pytest.fixture(params=KINDS)
def kind(request: Any) -> str:
    found: str = request.param
    return found


@pytest.fixture
def start(kind: str, certificate: tuple[Path, Path], tmp_path: Path) -> Start:
    """Starts a node of the kind."""

    def run(answer: Answer = echo) -> AbstractContextManager[Node]:
        return node(
            answer,
            tls=certificate if kind in ("tls", "wss") else None,
            websocket=kind in ("ws", "wss"),
            path=str(tmp_path / "node.sock") if kind == "unix" else "",
        )

    return run


@pytest.fixture
def dial(certificate: tuple[Path, Path]) -> Iterator[Callable[..., ByteStream]]:
    """Opens byte streams, and closes them after the test."""
    opened: list[ByteStream] = []

    def run(url: str, **options: Any) -> ByteStream:
        options.setdefault("tls", str(certificate[0]))
        opened.append(dial_node(parse_endpoint(url), monotonic() + 10, **options))
        return opened[-1]

    yield run
    for stream in opened:
        stream.close()


@pytest.fixture
def connect(dial: Callable[..., ByteStream]) -> Iterator[Callable[..., PacketConnection]]:
    """Opens connections, and closes them after the test."""
    opened: list[PacketConnection] = []

    def run(url: str, on_event: Any = None, on_close: Any = None, **options: Any) -> PacketConnection:
        made = PacketConnection(
            dial(url), on_event=on_event or ignore, on_close=on_close or ignore, **options
        )
        opened.append(made)
        return made

    yield run
    for made in opened:
        made.close()
        assert made.wait_closed(10)

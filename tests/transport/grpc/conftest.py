"""Fixtures: a server, and channels that are closed after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowthings_like.transport.grpc.channel import Channel
from tests.grpc_server import Running, running

Connect = Callable[..., Channel]


@pytest.fixture
def server() -> Iterator[Running]:
    with running() as made:
        yield made


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes channels to a (host, port), and closes them after the test."""
    opened: list[Channel] = []

    def run(address: tuple[str, int], **options: Any) -> Channel:
        options.setdefault("timeout", 20.0)
        opened.append(Channel(*address, **options))
        return opened[-1]

    yield run
    for channel in opened:
        channel.close()


@pytest.fixture
def channel(server: Running, connect: Connect) -> Channel:
    return connect((server.host, server.port))

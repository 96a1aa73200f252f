"""Fixtures: a server, and clients that send exact frames."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowthings_like.wire.grpc.messages import prefix
from tests.grpc_server import Running, running

from .client import Client, connected


@pytest.fixture
def server() -> Iterator[Running]:
    with running() as made:
        yield made


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with connected(server) as made:
        yield made


@pytest.fixture
def other(server: Running) -> Iterator[Client]:
    """A client that nothing must happen to."""
    with connected(server) as made:
        made.ask("Echo", b"before")
        assert made.answer()[1] == prefix(6) + b"before"
        yield made
        made.ask("Echo", b"after")
        assert made.answer()[1] == prefix(5) + b"after"

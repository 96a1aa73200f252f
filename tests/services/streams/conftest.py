from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from flowthings_like.services.streams.endpoints import Endpoint
from flowthings_like.streams import Client, Stream

from .model import KEY, ModelServer, OldServer, Wire


def connected(server: ModelServer, *, key: str | None = KEY, **options: object) -> Client:
    """A client of a server in memory."""
    place = Endpoint("127.0.0.1", 4410, False, key)

    def open_channel(endpoint: Endpoint, concurrency: int) -> Wire:
        wire = Wire(server, endpoint.key, concurrency)
        server.wires.append(wire)
        return wire

    return Client._of(lambda: place, open_channel=open_channel, **options)  # type: ignore[arg-type]


@pytest.fixture(params=[ModelServer, OldServer], ids=["v5", "v4"])
def either(request: pytest.FixtureRequest) -> ModelServer:
    """A server of each version."""
    server: ModelServer = request.param()
    return server


@pytest.fixture
def server() -> ModelServer:
    return ModelServer()


@pytest.fixture
def client(server: ModelServer) -> Iterator[Client]:
    with connected(server) as made:
        yield made


@pytest.fixture
def stream(client: Client) -> Stream:
    return client.create(uuid4(), "sensors/jfk", {"name": "temp", "unit": "F"}, {"floor": 3})

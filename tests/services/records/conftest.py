from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from flowthings_like.records import BytesPayloadType, Channel, PayloadType
from tests.certificates import certificate
from tests.transport.records.scripted import Scripted, Session, records_server, scripted

from .model import Model

__all__ = ["certificate"]

Connect = Callable[..., Channel[Any]]


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def server(model: Model) -> Iterator[Scripted]:
    with records_server(model.answer) as made:
        yield made


@pytest.fixture
def channel(server: Scripted) -> Iterator[Channel[bytes]]:
    """A channel of raw bytes to the model."""
    with Channel(server.host, server.port, BytesPayloadType(), 20.0) as made:
        yield made


@pytest.fixture
def connect() -> Iterator[Connect]:
    """`connect(script, payload_type, **options)`: a channel to a server whose connections run the script."""
    with ExitStack() as ending:

        def connect(
            script: Callable[[Session], object],
            payload_type: PayloadType[Any] | None = None,
            timeout: float | None = 20.0,
            **options: Any,
        ) -> Channel[Any]:
            server = ending.enter_context(scripted(script))
            made = Channel(server.host, server.port, payload_type or BytesPayloadType(), timeout, **options)
            return ending.enter_context(made)

        yield connect

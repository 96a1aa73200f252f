from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like import API, Client
from tests.certificates import certificate

from ...transport.things.scripted_node import Node, node
from .support import USER, Script

__all__ = ["certificate"]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[API]:
    """An embedded platform with the default scope //stuff."""
    with API.embedded(tmp_path / "data") as opened:
        opened.things.set_default_scope("//stuff")
        yield opened
    opened.things.wait_closed()


@pytest.fixture
def things(api: API) -> Client:
    return api.things


@pytest.fixture
def other(api: API) -> Iterator[Client]:
    """A second client of the same node."""
    host, port, user, password = api.things.address()
    client = Client()
    client.connect(host, port)
    client.authenticate(user, password)
    client.set_default_scope("//stuff")
    yield client
    client.close_and_wait()


@pytest.fixture
def script() -> Script:
    return Script(7, 8)


@pytest.fixture
def played(script: Script) -> Iterator[Node]:
    """A node that answers by the script."""
    with node(script) as found:
        yield found


@pytest.fixture
def client(played: Node) -> Iterator[Client]:
    """A client that is connected to that node and authenticated."""
    found = Client()
    found.connect_pool([played.url], *USER)
    yield found
    found.close_and_wait()

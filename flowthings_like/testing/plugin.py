"""Fixtures for pytest, there as soon as the library is installed.

    def test_it(flowthings_platform):      an API on an embedded platform, new for each test
    def test_it(flowthings_server):        a Server: the same behind a socket
    def test_it(fault_proxy):              a FaultProxy in front of that server

What they need is imported when a test asks for it, so that a conftest.py may still patch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..api import API
    from .proxy import FaultProxy
    from .server import Server


@pytest.fixture
def flowthings_platform(tmp_path: Path) -> Iterator[API]:
    """An API of account acme on an embedded platform with nothing in it yet."""
    from ..api import API

    with API.embedded(tmp_path / "flowthings") as api:
        yield api


@pytest.fixture
def flowthings_server(tmp_path: Path) -> Iterator[Server]:
    """A platform on a port of this machine; `flowthings_server.api()` talks to it."""
    from .server import Server

    with Server(tmp_path / "flowthings-server") as server:
        yield server


@pytest.fixture
def fault_proxy(flowthings_server: Server) -> Iterator[FaultProxy]:
    """A proxy before that server; `flowthings_server.api(host=fault_proxy.address)` goes through it."""
    from .proxy import FaultProxy

    with FaultProxy(flowthings_server.address) as proxy:
        yield proxy

"""Fixtures for pytest, there as soon as flowthings_like is installed.

    def test_it(flowthings_platform):      an API on an embedded platform, new for each test
    def test_it(flowthings_server):        a Server: the same behind a socket
    def test_it(flowthings_proxy):         a FaultProxy in front of that server

pytest imports this module at its start, in every project that has the library installed. So it stands outside
the package, and the package is imported when a test asks for a fixture: until then a conftest.py may patch,
and a coverage tool may begin to measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flowthings_like import API
    from flowthings_like.testing import FaultProxy, Server

__all__ = ["flowthings_platform", "flowthings_proxy", "flowthings_server"]


@pytest.fixture
def flowthings_platform(tmp_path: Path) -> Iterator[API]:
    """An API of account acme on an embedded platform with nothing in it yet."""
    from flowthings_like import API

    with API.embedded(tmp_path / "flowthings") as api:
        yield api


@pytest.fixture
def flowthings_server(tmp_path: Path) -> Iterator[Server]:
    """A platform on a port of this machine; `flowthings_server.api()` talks to it."""
    from flowthings_like.testing import Server

    with Server(tmp_path / "flowthings-server") as server:
        yield server


@pytest.fixture
def flowthings_proxy(flowthings_server: Server) -> Iterator[FaultProxy]:
    """A proxy before that server; `flowthings_server.api(host=flowthings_proxy.address)` goes through it."""
    from flowthings_like.testing import FaultProxy

    with FaultProxy(flowthings_server.address) as proxy:
        yield proxy

"""Fixtures for pytest, which are available as soon as flowthings_like is installed.

    def test_it(flowthings_platform):      an API on an embedded platform, new for each test
    def test_it(flowthings_server):        a Server: the same platform on a local port
    def test_it(flowthings_proxy):         a FaultProxy in front of that server

pytest imports this module when it starts, in every project in whose environment the library is installed.
Therefore the module stands outside the package, and imports the package when a test uses a fixture: until
then a conftest.py can still patch, and a coverage tool can start to measure.
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
    """An API of the account acme on an empty embedded platform."""
    from flowthings_like import API

    with API.embedded(tmp_path / "flowthings") as api:
        yield api


@pytest.fixture
def flowthings_server(tmp_path: Path) -> Iterator[Server]:
    """A platform on a local port. `flowthings_server.api()` makes an API for it."""
    from flowthings_like.testing import Server

    with Server(tmp_path / "flowthings-server") as server:
        yield server


@pytest.fixture
def flowthings_proxy(flowthings_server: Server) -> Iterator[FaultProxy]:
    """A proxy in front of that server. `flowthings_server.api(host=flowthings_proxy.address)` uses it."""
    from flowthings_like.testing import FaultProxy

    with FaultProxy(flowthings_server.address) as proxy:
        yield proxy

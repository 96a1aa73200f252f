from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowthings_like.platform.embedded import Platform, open_platform

from .harness import Peer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def platform(folder: Path) -> Iterator[Platform]:
    with open_platform(folder, "acme") as opened:
        yield opened


@pytest.fixture
def connect(platform: Platform) -> Iterator[Callable[..., Peer]]:
    """A function that opens a connection and logs in, as the account or another user."""
    peers: list[Peer] = []

    def make(account: str = "") -> Peer:
        peers.append(Peer.of(platform, account))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()


@pytest.fixture
def peer(connect: Callable[..., Peer]) -> Peer:
    return connect()


@pytest.fixture
def stranger(platform: Platform) -> Iterator[Peer]:
    """A connection that has not logged in."""
    found = Peer(*platform.things_address()[:2])
    yield found
    found.close()

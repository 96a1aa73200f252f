from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like.platform.records.node import Node

from .raw_client import RawClient


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    opened = Node(tmp_path, "127.0.0.1", 0)
    yield opened
    opened.close()


@pytest.fixture
def client(node: Node) -> Iterator[RawClient]:
    with RawClient(node.addresses[0]) as connected:
        yield connected

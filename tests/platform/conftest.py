from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store

from .harness import add_flow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store(folder) as opened:
        yield opened


@pytest.fixture
def flow(store: Store) -> str:
    return add_flow(store, "/acme/a")

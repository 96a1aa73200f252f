from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like import API
from tests.certificates import certificate

from .web import Web, serving

__all__ = ["certificate"]


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


@pytest.fixture
def api(tmp_path: Path) -> Iterator[API]:
    """An API whose tasks may connect to this machine."""
    with API.embedded(tmp_path / "data", tasks=True, task_networks=["127.0.0.1"]) as opened:
        opened.flow.create({"path": "/acme/x"})
        yield opened

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like.platform.embedded import Platform, open_platform

from .harness import Client, client_of


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with open_platform(tmp_path / "data", "acme") as opened:
        yield opened


@pytest.fixture
def api(platform: Platform) -> Client:
    return client_of(platform)

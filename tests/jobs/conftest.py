from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like import API


@pytest.fixture
def api(tmp_path: Path) -> Iterator[API]:
    """A platform in a folder of its own, with the flow /acme/weather."""
    with API.embedded(tmp_path / "data") as api:
        api.flow.create({"path": "/acme/weather", "capacity": 100_000})
        yield api

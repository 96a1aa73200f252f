from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like.platform.streams.store import StreamStore

from .harness import Direct


@pytest.fixture
def streams(tmp_path: Path) -> Iterator[StreamStore]:
    store = StreamStore(tmp_path)
    yield store
    store.close()


@pytest.fixture
def direct(streams: StreamStore) -> Direct:
    return Direct(streams)

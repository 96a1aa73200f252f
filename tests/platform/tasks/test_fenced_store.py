"""What a process may write after another one has begun to lead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like.platform.problems import Unavailable
from flowthings_like.platform.resources.drops.resource_store import ResourceStore
from flowthings_like.platform.store.schema import leaders
from flowthings_like.platform.tasks.fenced_store import FencedStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResourceStore]:
    with ResourceStore(tmp_path / "data") as opened:
        yield opened


def test_the_last_leader_writes_alone(store: ResourceStore, tmp_path: Path) -> None:
    with ResourceStore(tmp_path / "data") as elsewhere:
        one, two = FencedStore(store, "tasks"), FencedStore(elsewhere, "tasks")
        other = FencedStore(store, "other")
        one.begin_term()
        other.begin_term()
        assert one.write(lambda connection: "written") == "written"
        two.begin_term()
        for _ in range(2):
            with pytest.raises(Unavailable, match="another process runs the tasks now"):
                one.write(lambda connection: connection.execute(leaders.delete()).rowcount)
        assert two.write(lambda connection: "written") == "written"
        assert other.write(lambda connection: "written") == "written"
        one.begin_term()
        with pytest.raises(Unavailable):
            two.write(lambda connection: None)
        assert one.write(lambda connection: "again") == "again"

"""Random histories of a stream, against a model in plain Python."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flowthings_like.platform.streams import segments
from flowthings_like.platform.streams import transaction as transactions
from flowthings_like.platform.streams.store import StreamStore

from . import model
from .harness import Direct, Refused

TIMES = st.integers(-40, 40) | st.integers(-(1 << 20), 1 << 20)
VALUES = st.sampled_from([0.0, 1.0, 1.5, -2.0]) | st.floats(-1e6, 1e6)
BATCHES = st.lists(st.tuples(TIMES, VALUES), max_size=12)

pytestmark = pytest.mark.once


class Histories(RuleBasedStateMachine):
    """Inserts, deletions and reads at all versions. Segments are made of few points, and often."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(segments, "_POINTS_IN_WINDOW", 2)
        self.patch.setattr(transactions, "BULK", 6)
        self.patch.setattr(transactions, "MOST_RECENT", 15)
        self.folder = tempfile.TemporaryDirectory()
        self.store = StreamStore(Path(self.folder.name))
        self.model = model.Model()

    @initialize()
    def create(self) -> None:
        self.direct = Direct(self.store)
        self.uuid = self.direct.create()

    @rule(batch=BATCHES, policy=st.integers(0, 3))
    def insert(self, batch: list[model.Point], policy: int) -> None:
        expected = self.model.insert(batch, policy)
        assert self.direct.insert(self.uuid, batch, policy) == expected

    @rule(start=TIMES, size=st.integers(1, 60) | st.integers(1, 1 << 21))
    def delete(self, start: int, size: int) -> None:
        expected = self.model.delete(start, start + size)
        assert self.direct.delete(self.uuid, start, start + size) == expected

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = StreamStore(Path(self.folder.name))
        self.direct = Direct(self.store)

    @precondition(lambda self: self.model.latest > 10)
    @rule(data=st.data(), start=TIMES, size=st.integers(1, 90) | st.integers(1, 1 << 21))
    def read(self, data: Any, start: int, size: int) -> None:
        version = data.draw(st.integers(10, self.model.latest))
        end = start + size
        points = self.model.versions[version]
        assert self.direct.values(self.uuid, start, end, version) == self.model.values(start, end, version)
        width = data.draw(st.integers(max(0, size.bit_length() - 6), 24))
        same(
            self.direct.aligned(self.uuid, start, end, width, version),
            model.aligned_windows(points, start, end, width),
        )
        step = data.draw(st.integers(max(1, size // 40), size))
        same(
            self.direct.windows(self.uuid, start, end, step, version),
            model.windows(points, start, end, step),
        )
        for backward in (False, True):
            expected = self.model.nearest(start, version, backward)
            try:
                found: Any = self.direct.nearest(self.uuid, start, version, backward)
            except Refused:
                found = None
            assert found == expected

    @precondition(lambda self: self.model.latest > 10)
    @rule(data=st.data(), resolution=st.integers(0, 12))
    def changes(self, data: Any, resolution: int) -> None:
        """Whatever differs between two versions lies in the ranges, and ranges never touch."""
        after = data.draw(st.integers(10, self.model.latest))
        until = data.draw(st.integers(after, self.model.latest))
        found = self.direct.changes(self.uuid, after, until or 0, resolution)
        for before, later in itertools.pairwise(found):
            assert before[1] < later[0]
        for time in set(self.model.versions[after]) ^ set(self.model.versions[until]):
            assert any(start <= time[0] < end for start, end in found)
        assert all(edge % (1 << resolution) == 0 for each in found for edge in each)

    @invariant()
    def has_the_latest_points(self) -> None:
        if hasattr(self, "uuid"):
            assert self.direct.version(self.uuid) == self.model.latest
            everything = -(1 << 52), 1 << 52
            assert self.direct.values(self.uuid, *everything) == self.model.points
            for width in (7, 22):
                found = self.direct.aligned(self.uuid, *everything, width)
                same(found, model.aligned_windows(self.model.points, *everything, width))

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()
        self.patch.undo()


def same(found: list[Any], expected: list[Any]) -> None:
    assert [row[0] for row in found] == [row[0] for row in expected]
    assert [row[4] for row in found] == [row[4] for row in expected]
    for column in (1, 3):
        assert [row[column] for row in found] == [row[column] for row in expected]
    for column in (2, 5):
        a, b = (np.array([row[column] for row in rows]) for rows in (found, expected))
        assert np.allclose(a, b, rtol=1e-9, atol=1e-6)
    assert all(row[1] <= row[2] <= row[3] for row in found)


Histories.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
test_histories = Histories.TestCase

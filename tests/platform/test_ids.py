from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.platform import ids

TIMES = st.integers(0, ids.LATEST)


@given(created=TIMES)
def test_an_id_has_25_characters_and_carries_its_time(created: int) -> None:
    name = ids.new_id("d", created)
    assert re.fullmatch(r"d[0-9a-f]{24}", name)
    assert ids.created_of(name) == created
    assert ids.is_id(name)
    assert ids.is_id(name, "d")
    assert not ids.is_id(name, "f")


@given(times=st.lists(TIMES, min_size=2, max_size=20))
def test_ids_sort_by_creation_time(times: list[int]) -> None:
    names = [ids.new_id("d", created) for created in times]
    assert [ids.created_of(name) for name in sorted(names)] == sorted(times)


def test_ids_of_one_millisecond_are_distinct_and_keep_their_order() -> None:
    names = [ids.new_id("d", 1_363_000_000_123) for _ in range(10_000)]
    assert len(set(names)) == len(names)
    assert sorted(names) == names


def test_the_default_is_now() -> None:
    before = ids.now_ms()
    assert before <= ids.created_of(ids.new_id("f")) <= ids.now_ms()


def test_a_clock_that_is_set_back_does_not_turn_the_order_round(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"ms": 1_800_000_000_000}
    monkeypatch.setattr(ids.time, "time_ns", lambda: clock["ms"] * 1_000_000)
    monkeypatch.setattr(ids, "_latest", 0)
    made = []
    for step in (0, 5, -2000, 10, 10, -30_000, 1000, 40_000):
        clock["ms"] += step
        made.append(ids.new_id("d"))
    assert made == sorted(made)
    assert ids.now_ms() == clock["ms"]  # it has caught up
    clock["ms"] -= ids.STEP + 1  # it was wrong before
    assert ids.now_ms() == clock["ms"]


@pytest.mark.parametrize("text", ["", "d", "d" + "g" * 24, "D" + "0" * 24, "d" + "0" * 23, "d" + "0" * 25, 5])
def test_what_is_no_id(text: object) -> None:
    assert not ids.is_id(text)


def test_another_process_counts_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ids.new_id("d", 1)
    here = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)
    assert ids.new_id("d", 1)[-6:] != ours[-6:]

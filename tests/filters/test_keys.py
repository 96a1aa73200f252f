"""Key boxes: how small they are, and that boxes and rest together mean the filter."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.errors import CannotFilter
from flowthings_like.filters import AGE, EXISTS, Filter, mem, nodes
from flowthings_like.filters.boxes import Box, fewer, intersection, joined, union
from flowthings_like.filters.keys import MOST_BOXES, plan

pytestmark = pytest.mark.once

FIELDS = {"cid": (0, 100), "cap": (-50, 50)}


def boxes(node: Filter) -> list[tuple[int, int, int, int]]:
    """The boxes of a filter, each as the range of cid and the range of cap."""
    return [(*pair(box, 0), *pair(box, 1)) for box in plan(node, FIELDS).boxes]


def pair(box: Box, place: int) -> tuple[int, int]:
    return box.low[place], box.high[place]


CASES: list[tuple[Filter, list[tuple[int, int, int, int]], Filter | None]] = [
    (mem.cid == 1, [(1, 2, -50, 50)], None),
    ((mem.cid == 1) & (mem.cap >= 5) & (mem.cap < 9), [(1, 2, 5, 9)], None),
    ((mem.cid == 1) & (mem.cap >= 5) & (mem.value > 0), [(1, 2, 5, 50)], mem.value > 0),
    (mem.cid.IN(1, 2, 4), [(1, 3, -50, 50), (4, 5, -50, 50)], None),
    (mem.cid != 7, [(0, 7, -50, 50), (8, 100, -50, 50)], None),
    (~((mem.cid < 10) | (mem.cid >= 20)), [(10, 20, -50, 50)], None),
    (mem.cid > 98.5, [(99, 100, -50, 50)], None),
    (mem.cid == 1.5, [], None),
    (mem.cid == "1", [], None),
    (mem.cid > 1000, [], None),
    ((mem.cid == 1) & (mem.cid == 2) & (mem.value > 0), [], None),
    (mem.value > 0, [(0, 100, -50, 50)], mem.value > 0),
    (EXISTS(mem.cid), [(0, 100, -50, 50)], None),
    (mem.cid.value == 3, [(3, 4, -50, 50)], None),
    (mem.cid.x == 3, [], None),
    (AGE("cap") > 10, [(0, 100, -50, -10)], None),
    (
        (mem.cid == 1) | (mem.cid == 2) & (mem.cap < 0),
        [(1, 2, -50, 50), (2, 3, -50, 0)],
        None,
    ),
    (
        ((mem.cid == 1) & (mem.value > 0)) | ((mem.cid == 2) & (mem.value < 0)),
        [(1, 3, -50, 50)],
        ((mem.cid == 1) & (mem.value > 0)) | ((mem.cid == 2) & (mem.value < 0)),
    ),
    ((mem.cid == 3) & (mem.cap % 2 == 0), [(3, 4, -50, 50)], mem.cap % 2 == 0),
    ((mem.cid == 3) & (mem.cap < mem.acq), [(3, 4, -50, 50)], mem.cap < mem.acq),
    ((mem.cid < 50) | (mem.cid >= 25), [(0, 100, -50, 50)], None),
]


@pytest.mark.parametrize(("node", "expected", "rest"), CASES, ids=lambda one: str(one)[:60])
def test_boxes_are_the_smallest(node: Filter, expected: Any, rest: Filter | None) -> None:
    assert boxes(node) == expected
    assert plan(node, FIELDS).rest == rest


def test_what_boxes_cannot_say_is_an_error_unless_a_rest_is_allowed() -> None:
    with pytest.raises(CannotFilter, match="`value > 0`: it holds the numbers of cid, cap alone") as caught:
        plan((mem.cid == 1) & (mem.value > 0), FIELDS, partial=False)
    assert caught.value.part == "value > 0"
    assert plan(mem.cid == 1, FIELDS, partial=False).rest is None


def test_many_values_become_few_boxes_that_are_tested_again() -> None:
    node = mem.cid.IN(range(0, 100, 2))
    found = plan(node, FIELDS)
    assert len(found.boxes) == MOST_BOXES
    assert found.rest == node
    with pytest.raises(CannotFilter, match="more than 32 ranges"):
        plan(node, FIELDS, partial=False)
    whole = node & (mem.cap > 0)
    assert plan(whole, FIELDS).rest == whole


def test_a_few_far_clusters_stay_apart() -> None:
    node = mem.cap.IN(*range(-50, -10, 2), *range(10, 50, 2))
    found = [pair(box, 1) for box in plan(node, FIELDS).boxes]
    assert not any(low < 0 < high for low, high in found)


@st.composite
def some_boxes(draw: st.DrawFn) -> list[Box]:
    edges = st.tuples(st.integers(0, 5), st.integers(1, 3))
    found = draw(st.lists(st.tuples(edges, edges, edges), max_size=6))
    return [Box(tuple(a for a, _ in one), tuple(a + n for a, n in one)) for one in found]


POINTS = list(product(range(9), repeat=3))


def points(region: list[Box]) -> set[tuple[int, ...]]:
    return {point for point in POINTS if any(point in box for box in region)}


@pytest.mark.once
@settings(max_examples=200, deadline=None)
@given(some_boxes(), some_boxes(), st.integers(1, 4))
def test_regions_have_the_points_that_they_should(one: list[Box], other: list[Box], most: int) -> None:
    first, second = union([], one, 1000), union([], other, 1000)
    assert first is not None
    assert second is not None
    for region, expected in (
        (union(first, second, 1000), points(one) | points(other)),
        (joined(intersection(first, second)), points(one) & points(other)),
        (joined(first), points(one)),
    ):
        assert region is not None
        assert points(region) == expected
        assert all(a.overlap(b) is None for a, b in combinations(region, 2))
        few = fewer(region, most)
        assert len(few) <= most
        assert points(few) >= expected
        assert all(a.overlap(b) is None for a, b in combinations(few, 2))
    assert points(fewer([*one, *other], 2)) >= points(one) | points(other)


def test_two_boxes_that_make_one_are_one() -> None:
    assert joined([Box((0, 0), (1, 9)), Box((1, 0), (2, 9)), Box((2, 0), (3, 8))]) == [
        Box((0, 0), (2, 9)),
        Box((2, 0), (3, 8)),
    ]


def test_a_filter_of_many_values_in_each_field_is_planned_within_a_bounded_number_of_boxes() -> None:
    fields = dict.fromkeys("abcde", (0, 10**6))
    scattered = range(0, 1000, 7)
    several = [mem[name].IN(scattered) for name in fields]
    both, either = nodes.And(tuple(several)), nodes.Or(tuple(several))
    for node in (both, either, both | ~either, ~both):
        found = plan(node, fields)
        assert 0 < len(found.boxes) <= MOST_BOXES
        assert found.rest == node

"""Iterating over all pages while others create and delete."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like import FilterSyntaxError, InvalidInput, InvalidResponse, mem

from ..support import envelope, make_api

BEYOND = re.compile(r"id ([<>]) '(\w+)'")


class Shelf:
    """A fake platform with one flow of drops. It sorts by id and knows filters that compare the id.

    Attributes:
        ids: the ids of the drops, which `between` changes after every page.
        asked: the parameters of every request.
    """

    def __init__(self, ids: set[str], between: list[tuple[set[str], set[str]]] | None = None) -> None:
        self.ids = set(ids)
        self.asked: list[dict[str, Any]] = []
        self.between = list(between or ())

    def __call__(self, method: str, url: str, params: Any = None, data: Any = None, creds: Any = None) -> Any:
        assert method == "GET"
        assert params["sort"] == "id"
        self.asked.append(params)
        found = sorted(self.ids, reverse=params["order"] == "desc")
        for side, id in BEYOND.findall(params.get("filter", "")):
            found = [one for one in found if (one < id if side == "<" else one > id)]
        if self.between:
            created, deleted = self.between.pop(0)
            self.ids = (self.ids | created) - deleted
        return envelope([{"id": id} for id in found[: params["limit"]]]), {}, 200


def ids(numbers: Any) -> set[str]:
    return {f"d{number:03}" for number in numbers}


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 25])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_everything_comes_once_in_order(count: int, order: str) -> None:
    shelf = Shelf(ids(range(count)))
    found = [drop["id"] for drop in make_api(request=shelf).drop("f1").iterate(page=10, order=order)]
    assert found == sorted(shelf.ids, reverse=order == "desc")
    assert len(shelf.asked) == count // 10 + 1
    assert all(asked["limit"] == 10 for asked in shelf.asked)


changes = st.lists(st.tuples(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60))), max_size=8)


@settings(deadline=None, max_examples=150)
@given(st.sets(st.integers(0, 60)), changes, st.integers(1, 7), st.sampled_from(["asc", "desc"]))
def test_nothing_is_skipped_or_repeated_while_others_write(
    first: set[int], between: list[tuple[set[int], set[int]]], page: int, order: str
) -> None:
    steps = [(ids(created), ids(deleted)) for created, deleted in between]
    shelf = Shelf(ids(first), steps)
    found = [drop["id"] for drop in make_api(request=shelf).flow.iterate(page=page, order=order)]
    assert found == sorted(set(found), reverse=order == "desc")
    ever_deleted = {id for _, deleted in steps for id in deleted}
    ever_created = {id for created, _ in steps for id in created}
    assert ids(first) - ever_deleted <= set(found) <= ids(first) | ever_created


def test_what_arrives_is_left_out_from_the_newest_down() -> None:
    shelf = Shelf(ids(range(10)), [(ids(range(10, 40)), set())] * 3)
    found = [drop["id"] for drop in make_api(request=shelf).flow.iterate(page=4)]
    assert found == sorted(ids(range(10)), reverse=True)


def test_filters_and_parameters_are_kept() -> None:
    shelf = Shelf(ids(range(4)))
    list(make_api(request=shelf).drop("f1").iterate(mem.a == 1, page=3, only="elems", hints=0, filter_=1))
    assert shelf.asked == [
        {
            "sort": "id",
            "order": "desc",
            "limit": 3,
            "filter": "a == 1",
            "only": "elems,id",
            "hints": 0,
            "filter_": 1,
        },
        {
            "sort": "id",
            "order": "desc",
            "limit": 3,
            "filter": "(a == 1) && (id < 'd001')",
            "only": "elems,id",
            "hints": 0,
            "filter_": 1,
        },
    ]


def test_a_limit_bounds_the_whole() -> None:
    shelf = Shelf(ids(range(50)))
    flow = make_api(request=shelf).flow
    assert len(list(flow.iterate(page=10, limit=25))) == 25
    assert [asked["limit"] for asked in shelf.asked] == [10, 10, 5]
    assert list(flow.iterate(limit=0)) == []
    assert len(shelf.asked) == 3


def test_only_what_is_wanted_is_fetched() -> None:
    shelf = Shelf(ids(range(50)))
    walk = make_api(request=shelf).flow.iterate(page=10)
    assert shelf.asked == []
    for _ in range(10):
        next(walk)
    assert len(shelf.asked) == 1


def test_references_by_default_do_not_get_in_the_way() -> None:
    shelf = Shelf(ids(range(3)))
    assert len(list(make_api(request=shelf, params={"refs": True}).flow.iterate(page=2))) == 3
    assert all(asked["refs"] == 0 for asked in shelf.asked)


@pytest.mark.parametrize(
    "options",
    [
        {"page": 0},
        {"page": 100_001},
        {"page": True},
        {"page": 2.5},
        {"order": "up"},
        {"sort": "path"},
        {"start": 3},
        {"skip": 3},
        {"refs": True},
        {"limit": -1},
        {"limit": "3"},
        {"filter": False},
        {"filter": 3},
    ],
)
def test_bad_arguments_are_refused_before_the_first_step(options: dict[str, Any]) -> None:
    shelf = Shelf(set())
    with pytest.raises(InvalidInput):
        make_api(request=shelf).flow.iterate(**options)
    assert shelf.asked == []


def test_a_text_that_does_not_parse_is_refused_before_the_first_step() -> None:
    with pytest.raises(FilterSyntaxError):
        make_api(request=Shelf(set())).flow.iterate("a == ")


def test_a_platform_that_does_not_sort_is_noticed() -> None:
    def always(*args: Any, **options: Any) -> Any:
        return envelope([{"id": "a"}, {"id": "b"}]), {}, 200

    with pytest.raises(InvalidResponse, match="order of ids"):
        list(make_api(request=always).flow.iterate(page=2))
    with pytest.raises(InvalidResponse, match="order of ids"):
        list(make_api(request=always).flow.iterate(page=2, order="asc"))
    with pytest.raises(InvalidResponse, match="list"):
        list(make_api().flow.iterate())

"""Bulk forms that answer each call by itself: a result, a failure of its own, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from flowthings_like.errors import FlowThingsNotFound, InvalidResponse
from flowthings_like.green import LazyAPI, detect, force
from flowthings_like.green.batching.bulk_marker import ALONE, bulk

from ..fakes import until

BACKEND = detect()


class Finder:
    """Finds numbers. `each` says what the bulk form answers for a number."""

    __api_service__ = True
    path = "/finder"

    def __init__(self) -> None:
        self.gate: Any = None
        self.held = 0
        self.made: list[Any] = []
        self.each: Any = lambda number: [number]

    def request(self, *what: Any) -> None:
        self.made.append(what)
        if self.gate is not None:
            self.held += 1
            self.gate.wait()

    @bulk("_find_each", entry="_entry", most=100, across=True, in_order=True)
    def find(self, number: int) -> Any:
        self.request("find", number)
        if number < 0:
            raise FlowThingsNotFound(f"no {number}", status=404)
        return [number]

    def _entry(self, number: int) -> Any:
        return str(number), number

    def _find_each(self, numbers: Any) -> Any:
        self.request("find_each", *numbers)
        return self.each(numbers) if self.each is wrong else [self.each(number) for number in numbers]


def wrong(numbers: Any) -> Any:
    return [[number] for number in numbers][1:]


class Holder:
    def __init__(self) -> None:
        self.finder = Finder()


@pytest.fixture
def api() -> Any:
    holder = Holder()
    yield holder
    if holder.finder.gate is not None:
        holder.finder.gate.set()


def together(api: Any, numbers: list[int]) -> list[Any]:
    """Lazy finds that leave together: they gather while the first one is held up."""
    finder, lazy = api.finder, LazyAPI(api)
    finder.gate = BACKEND.event()
    first = lazy.finder.find(1000)
    until(lambda: finder.held == 1)
    thunks = [lazy.finder.find(number) for number in numbers]
    finder.gate.set()
    assert force(first) == [1000]
    return thunks


def outcome(thunk: Any) -> Any:
    try:
        return force(thunk)
    except Exception as error:
        return type(error)


def bulk_requests(api: Any) -> list[Any]:
    return [made for made in api.finder.made if made[0] == "find_each"]


def test_results_come_in_order_and_equal_calls_share(api: Any) -> None:
    thunks = together(api, [3, 1, 3, 2])
    assert [force(thunk) for thunk in thunks] == [[3], [1], [3], [2]]
    force(thunks[0]).append("mine")
    assert force(thunks[2]) == [3]
    assert sum(len(made) - 1 for made in api.finder.made) == 4  # the first one, and three that differ


def test_each_failure_is_its_own_calls(api: Any) -> None:
    api.finder.each = lambda number: FlowThingsNotFound("no", status=404) if number % 2 else [number]
    thunks = together(api, [2, 3, 4, 5])
    assert [outcome(thunk) for thunk in thunks] == [[2], FlowThingsNotFound, [4], FlowThingsNotFound]


def test_what_was_not_made_is_made_alone_and_at_the_same_time(api: Any) -> None:
    api.finder.each = lambda number: ALONE if number > 2 or number < 0 else [number]
    thunks = together(api, [1, 2, 3, 4, -5, 3])
    assert [outcome(thunk) for thunk in thunks] == [[1], [2], [3], [4], FlowThingsNotFound, [3]]
    singles = sorted(made[1] for made in api.finder.made if made[0] == "find")
    if BACKEND.name == "threads":  # there the first one was on its way by itself
        assert singles == [-5, 3, 4, 1000]


def test_a_list_of_another_length_is_no_answer(api: Any) -> None:
    api.finder.each = wrong
    thunks = together(api, [1, 2, 3])
    assert [outcome(thunk) for thunk in thunks] == [InvalidResponse] * 3

"""Drops that are replaced in a full flow: their number in the answer, and the client's warning."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API, CapacityWarning, FlowThingsBadRequest, InvalidResponse, mem
from flowthings_like.testing import Server


@pytest.fixture(params=["embedded", "served"])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[API]:
    if request.param == "embedded":
        with API.embedded(tmp_path / "data") as opened:
            yield opened
    else:
        with Server(tmp_path / "data") as server, server.api() as opened:
            yield opened


def models(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"elems": {"n": first + number}} for number in range(count)]


def caught(act: Any) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        act()
    return [one for one in seen if one.category is CapacityWarning]


def test_a_bulk_that_does_not_fit_warns_once_a_flow(api: API) -> None:
    flow = api.flow.create({"path": "/acme/default"})
    drops = api.drop(flow)
    (warning,) = caught(lambda: drops.create_many(models(5000)))
    assert "4000 of the 5000 drops" in str(warning.message)
    assert "/acme/default" in str(warning.message)
    assert "capacity" in str(warning.message)
    assert warning.filename == __file__
    assert len(drops.find(limit=10_000)) == 1000
    assert caught(lambda: drops.create_many(models(5000))) == []
    other = api.flow.create({"path": "/acme/other", "capacity": 2})
    (warning,) = caught(lambda: api.drop("/acme/other").create_many(models(3)))
    assert "1 of the 3 drops" in str(warning.message)
    assert caught(lambda: api.drop(other["id"]).create_many(models(3))) == []


def test_ageing_warns_of_nothing(api: API) -> None:
    """Replacing drops of earlier calls is what a capacity is for, so there is no warning."""
    drops = api.drop(api.flow.create({"path": "/acme/ring", "capacity": 10}))
    assert caught(lambda: [drops.create_many(models(10)) for _ in range(3)]) == []
    assert caught(lambda: [drops.create(model) for model in models(30)]) == []


def test_capacity_0_is_no_loss(api: API) -> None:
    drops = api.drop(api.flow.create({"path": "/acme/wire", "capacity": 0}))
    assert caught(lambda: drops.create_many(models(10))) == []
    assert drops.find() == []


def test_lazy_creates_warn_too(api: API) -> None:
    drops = api.lazy().drop(api.flow.create({"path": "/acme/small", "capacity": 5}))

    def act() -> None:
        made = [drops.create(model) for model in models(400)]
        assert [drop["elems"]["n"] for drop in made] == list(range(400))

    assert len(caught(act)) == 1
    assert len(api.drop("/acme/small").find(limit=100)) == 5


@pytest.mark.parametrize("count", [-1, "7", True, 1.5, None])
def test_a_count_that_is_none_is_an_invalid_answer(count: Any) -> None:
    from flowthings_like.transport.http.envelope import Reply, open_envelope

    reply = Reply("POST", "/drop/f", b"", {}, 201, 1, "acme")
    with pytest.raises(InvalidResponse, match=r"POST /drop/f: .*evictedCreated"):
        open_envelope({"head": {"ok": True, "evictedCreated": count}}, reply)


@pytest.mark.parametrize("body", [None, [], {}, "text", [7], {"path": 5}])
def test_a_body_of_any_kind_does(body: Any) -> None:
    from flowthings_like.transport.http.capacity_warning import Evictions

    assert len(caught(lambda: Evictions().note("/drop/f", 3, body))) == 1


def test_the_operator_sets_the_ceiling(tmp_path: Path) -> None:
    with API.embedded(tmp_path) as api:
        large = api.flow.create({"path": "/acme/large", "capacity": 10_000_000})
    with API.embedded(tmp_path, max_capacity=500) as api:
        with pytest.raises(FlowThingsBadRequest, match="at most 500, which is what the platform's operator"):
            api.flow.create({"path": "/acme/a", "capacity": 501})
        assert api.flow.create({"path": "/acme/a"})["capacity"] == 500
        assert api.flow.create({"path": "/acme/b", "capacity": 500})["capacity"] == 500
        # A capacity that was given before the limit stays, and the flow can be changed.
        assert api.flow.update({"id": large["id"], "displayName": "L"})["capacity"] == 10_000_000
        assert api.flow.update({"id": large["id"], "capacity": 5_000_000})["capacity"] == 5_000_000
        with pytest.raises(FlowThingsBadRequest, match="at most 500"):
            api.flow.update({"id": large["id"], "capacity": 5_000_001})
    for wrong in (-1, 1.5, "many", True):
        with pytest.raises(ValueError, match="max_capacity"):
            API.embedded(tmp_path, max_capacity=wrong)  # type: ignore[arg-type]


@pytest.mark.once
@pytest.mark.exhaustive
def test_a_million_rows_in_one_flow(tmp_path: Path) -> None:
    """The example of the README, run by four threads at once."""
    million, at_once = 1_000_000, 10_000
    with API.embedded(tmp_path) as api:
        flow = api.flow.create({"path": "/acme/sensor", "capacity": million})
        drops = api.drop(flow)

        def load(first: int) -> None:
            for start in range(first, million, 4 * at_once):
                drops.create_many(models(at_once, start))

        def load_all() -> None:
            threads = [threading.Thread(target=load, args=(part * at_once,)) for part in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert caught(load_all) == []
        (row,) = drops.aggregate(["$count", "$min:n", "$max:n", "$sum:n"])
        assert row["$count"] == million
        assert (row["$min:n"], row["$max:n"]) == (0, million - 1)
        assert row["$sum:n"] == million * (million - 1) // 2
        assert [drop["elems"]["n"] for drop in drops.find(mem.n == 123_456)] == [123_456]
        drops.create({"elems": {"n": million}})  # replaces the first drop
        assert drops.aggregate(["$count"])[0]["$count"] == million

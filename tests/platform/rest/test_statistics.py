"""Statistics: counts by hour, added up."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.platform import ids
from flowthings_like.platform.embedded import Platform
from flowthings_like.platform.problems import Unavailable
from flowthings_like.platform.resources.statistics import counters as stat_counters
from flowthings_like.platform.resources.statistics import report
from flowthings_like.platform.resources.statistics.api_calls import ApiCallCounter

from .harness import Client

FLOW = "f" + "4b3d3aff" + "0" * 16  # made in the last second of 2009


def hour(year: int, month: int = 1, day: int = 1, hour: int = 0) -> int:
    return int(datetime(year, month, day, hour, tzinfo=timezone.utc).timestamp()) // 3600


@pytest.fixture
def flow(api: Client, platform: Platform) -> str:
    """A flow with 1 drop in the first hour of 2020, 2 on 29 February at 13:00, 4 in the last hour of 2020."""
    id_ = str(api.flow("x")["id"])
    happened = {hour(2020): 1, hour(2020, 2, 29, 13): 2, hour(2020, 12, 31, 23): 4}

    def work(connection: Any) -> None:
        for at, times in happened.items():
            stat_counters.record(
                connection, Counter({("flowDropAdded", id_): times}), at * stat_counters.HOUR_MS
            )

    platform.store.write(work)
    return id_


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("/2020", [1, 2, *[0] * 9, 4]),
        ("/2019", [0] * 12),
        ("/2021", [0] * 12),
        ("/2020/2", [*[0] * 28, 2]),
        ("/2019/02", [0] * 28),
        ("/2020/12", [*[0] * 30, 4]),
        ("/2020/2/29", [*[0] * 13, 2, *[0] * 10]),
        ("/2020/12/31", [*[0] * 23, 4]),
        ("/2020?level=YEAR", [7]),
        ("/2020?level=month", [1, 2, *[0] * 9, 4]),
        ("/2020?level=day", [1, *[0] * 58, 2, *[0] * 305, 4]),
        ("/2020/2?level=HOUR", [*[0] * (28 * 24 + 13), 2, *[0] * 10]),
        ("/2020/12/31?level=year", [4]),
    ],
)
def test_counts_are_added_up_by_level(api: Client, flow: str, date: str, expected: list[int]) -> None:
    assert api.get(f"/statistics/flowDropAdded/{flow}{date}").ok() == expected


@settings(deadline=None, max_examples=60)
@given(st.integers(1970, 9000), st.integers(1, 12), st.integers(1, 28), st.sampled_from(report.LEVELS))
def test_steps_begin_where_the_date_does(year: int, month: int, day: int, level: str) -> None:
    for date in ((year,), (year, month), (year, month, day)):
        first, last = report._period([str(part) for part in date], FLOW)
        steps = list(report._steps(first, last, level))
        assert steps[0] == hour(*date)
        assert steps == sorted(set(steps))
        assert steps[-1] < report._hour(last)
        if level == "HOUR":
            assert steps == list(range(steps[0], report._hour(last)))


def test_without_a_date_years_are_counted_from_the_objects_first(api: Client, platform: Platform) -> None:
    flow = api.flow("x")
    api.post(f"/drop/{flow['id']}", {"elems": {"a": 1}}).ok(201)
    first = datetime.fromtimestamp(ids.created_of(flow["id"]) / 1000, timezone.utc).year
    years = api.get(f"/statistics/flowDropAdded/{flow['id']}").ok()
    assert sum(years) == 1
    assert len(years) == datetime.now(timezone.utc).year - first + 1
    begin, end = report._period((), FLOW)
    assert begin.year == 2009
    assert end.year == datetime.now(timezone.utc).year + 1


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("flowDropped/{flow}", 400, "no statistic 'flowDropped'"),
        ("trackHit/{flow}", 404, "no track"),
        ("flowDropAdded/f" + "0" * 24, 404, "no flow"),
        ("flowDropAdded/{flow}/2020/13", 400, "no date"),
        ("flowDropAdded/{flow}/2019/2/29", 400, "no date"),
        ("flowDropAdded/{flow}/20x0", 400, "no date"),
        ("flowDropAdded/{flow}/9999", 400, "no date"),
        ("flowDropAdded/{flow}/99999999999", 400, "no date"),
        ("flowDropAdded/{flow}/2020/99999999999", 400, "no date"),
        ("flowDropAdded/{flow}/2020/1/99999999999", 400, "no date"),
        ("flowDropAdded/{flow}/" + "9" * 6000, 400, "no date"),
        ("flowDropAdded/{flow}/-1", 400, "no date"),
        ("flowDropAdded/{flow}/1e3", 400, "no date"),
        ("flowDropAdded/{flow}/2_020", 400, "no date"),
        ("flowDropAdded/{flow}/%D9%A2%D9%A0%D9%A2%D9%A0", 400, "no date"),
        ("flowDropAdded/{flow}/0", 400, "no date"),
        ("flowDropAdded/{flow}/2020?level=week", 400, "level must be"),
        ("flowDropAdded", 404, "no resource"),
        ("flowDropAdded/{flow}/2020/1/1/1", 404, "no resource"),
    ],
)
def test_bad_questions(api: Client, flow: str, path: str, status: int, reason: str) -> None:
    reply = api.get("/statistics/" + path.format(flow=flow))
    assert reply.status == status
    assert reason in reply.error


def this_year(api: Client, stat: str, id_: str) -> int:
    return sum(api.get(f"/statistics/{stat}/{id_}").ok())


def test_what_drops_and_tracks_count(api: Client) -> None:
    source, target = api.flow("a"), api.flow("b")
    track = api.post("/track", {"source": "/acme/a", "destination": "/acme/b", "filter": "elems.n > 1"}).ok(
        201
    )
    for n in (1, 2, 3):
        api.post(f"/drop/{source['id']}", {"elems": {"n": n}}).ok(201)
    (me,) = api.get("/identity").ok()
    assert this_year(api, "flowDropAdded", source["id"]) == 3
    assert this_year(api, "trackHit", track["id"]) == 3
    assert this_year(api, "trackPass", track["id"]) == 2
    assert this_year(api, "dropCreatedBy", me["id"]) >= 3
    assert api.get(f"/statistics/flowTracked/{target['id']}").ok()


class TestApiCalls:
    def test_each_call_is_counted_once(self, api: Client) -> None:
        (me,) = api.get("/identity").ok()
        before = this_year(api, "apiCallByIdentity", me["id"])
        for _ in range(5):
            api.get("/flow")
        api.as_("wrong").get("/flow")
        assert this_year(api, "apiCallByIdentity", me["id"]) == before + 5 + 1

    def test_they_are_on_disk_after_closing(self, api: Client, platform: Platform, tmp_path: Any) -> None:
        from flowthings_like.platform.embedded import open_platform

        from .harness import client_of

        (me,) = api.get("/identity").ok()
        platform.close()
        with open_platform(tmp_path / "data", "acme") as again:
            assert this_year(client_of(again), "apiCallByIdentity", me["id"]) == 2

    def test_a_thousand_calls_are_written_without_being_asked_for(self, platform: Platform) -> None:
        calls = ApiCallCounter(platform.store)
        for _ in range(999):
            calls.count("i1")
        assert calls._pending == 999
        calls.count("i1")
        assert calls._pending == 0
        assert self.stored(platform) == 1000

    def test_a_failure_loses_nothing(self, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: Any, **__: Any) -> None:
            raise Unavailable("the disk is full")

        calls = ApiCallCounter(platform.store)
        calls.count("i1")
        with monkeypatch.context() as patch:
            patch.setattr(platform.store, "write", full)
            calls.flush()
        calls.count("i1")
        calls.flush()
        assert self.stored(platform) == 2

    def stored(self, platform: Platform) -> int:
        query = "SELECT coalesce(sum(count), 0) FROM counters WHERE object_id = 'i1'"
        total = platform.store.read(lambda connection: connection.exec_driver_sql(query).scalar_one())
        return int(total)


def test_a_restricted_caller_sees_the_statistics_of_what_it_may_read(api: Client) -> None:
    near, far = api.flow("w"), api.flow("far")
    token = api.post("/token", {"paths": {"/acme/w": {"dropRead": True}}}).ok(201)["tokenString"]
    caller = api.as_(token)
    assert caller.get(f"/statistics/flowDropAdded/{near['id']}").ok() == [0]
    assert caller.get(f"/statistics/flowDropAdded/{far['id']}").status == 403

"""A measure is one entry: what is added here is known to requests, and to both ways of reading drops."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.resources.aggregates import measures
from flowthings_like.platform.resources.aggregates.source import Source
from tests.servers.platform_store import STORE

from ...rest.harness import Client, client_of

TEMPERATURES = {1: [3.5, 4.0, 9.25, "none", 4.0], 2: [7, -7, None, 2**60], 3: ["none"]}
T0 = 1_357_000_000_000  # the first of January 2013


class StandardDeviation:
    """Welford's method."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = 0.0

    def step(self, value: float | None) -> None:
        if value is not None:
            self.count += 1
            before = value - self.mean
            self.mean += before / self.count
            self.squares += before * (value - self.mean)

    def finalize(self) -> float | None:
        return (self.squares / self.count) ** 0.5 if self.count else None


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    entry = measures.NumberMeasure("stddev", accumulator=StandardDeviation)
    monkeypatch.setitem(measures.MEASURES, entry.name, entry)
    with open_platform(tmp_path / "data", "acme") as platform:
        yield filled(platform)


def filled(platform: Platform) -> Client:
    """Two flows with the same drops; one of them is read from its indexes."""
    api = client_of(platform)
    drops = [
        {"elems": {"month": month, "temp": temp}, "creationDate": T0 + month * 10**9}
        for month, temps in TEMPERATURES.items()
        for temp in temps
    ]
    for name, index in (("documents", None), ("indexed", ["elems.temp", "elems.month"])):
        api.flow(name, **({"index": index} if index else {}))
        api.post(f"/drop/%2Facme%2F{name}", drops).ok(201)
    return api


def expected(temps: list[Any]) -> float | None:
    numbers = [temp for temp in temps if isinstance(temp, int | float)]
    return statistics.pstdev(numbers) if numbers else None


@pytest.mark.parametrize(("flow", "from_index"), [("documents", False), ("indexed", True)])
def test_an_added_measure_is_computed(
    api: Client, flow: str, from_index: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources: list[Source] = []
    of = Source.of
    monkeypatch.setattr(Source, "of", lambda *given: sources.append(of(*given)) or sources[-1])
    asked = {"output": ["$count", "$stddev:temp"], "groupBy": ["month"], "sorts": ["$stddev:temp"]}
    rows = api.post(f"/drop/%2Facme%2F{flow}/aggregate", asked).ok()
    assert [row["id"]["month"] for row in rows] == [1, 2, 3]
    for row in rows:
        temps = TEMPERATURES[row["id"]["month"]]
        assert row["$count"] == len(temps)
        assert row["$stddev:temp"] == pytest.approx(expected(temps))
    if STORE == "sqlite":
        assert [type(source) is not Source for source in sources] == [from_index]


def test_it_goes_by_spans_of_time_and_beside_the_others(api: Client) -> None:
    asked = {"output": ["$stddev:temp", "$avg:temp", "$unique:temp"], "groupBy": ["$year"]}
    one, other = (
        api.post(f"/drop/%2Facme%2F{name}/aggregate", asked).ok() for name in ("documents", "indexed")
    )
    assert one == other
    (row,) = one
    every = [temp for temps in TEMPERATURES.values() for temp in temps]
    assert row["$stddev:temp"] == pytest.approx(expected(every))


def test_messages_name_it(api: Client) -> None:
    reply = api.post("/drop/%2Facme%2Findexed/aggregate", {"output": ["$median:temp"]})
    assert "$stddev:member or $count" in reply.error
    assert "$stddev:member" in api.post("/drop/%2Facme%2Findexed/aggregate", {"output": ["$stddev"]}).error

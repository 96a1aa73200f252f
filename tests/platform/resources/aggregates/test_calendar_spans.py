from __future__ import annotations

import itertools
from datetime import datetime, timezone

import pytest

from flowthings_like.platform.resources.aggregates.calendar_spans import MOST, Span, spans


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=timezone.utc).timestamp() * 1000)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("units", "first", "last", "expected"),
    [
        (["month"], ms(2013, 11, 30, 5), ms(2014, 1, 1), [(11,), (12,), (1,)]),
        (["month"], ms(2013, 1, 31), ms(2014, 1, 1) - 1, [(month,) for month in range(1, 13)]),
        (["month"], ms(2013, 1, 1), ms(2014, 1, 1), None),  # two Januaries
        (["month", "year"], ms(2013, 12, 1), ms(2014, 1, 1), [(12, 2013), (1, 2014)]),
        (["year"], ms(2012, 2, 29), ms(2014, 1, 1), [(2012,), (2013,), (2014,)]),
        (["day"], ms(2013, 2, 27, 23, 59), ms(2013, 3, 1), [(27,), (28,), (1,)]),
        (["hour"], ms(2013, 1, 1, 22), ms(2013, 1, 2, 1), [(22,), (23,), (0,), (1,)]),
        (["second"], ms(2013, 1, 1) + 999, ms(2013, 1, 1) + 1000, [(0,), (1,)]),
        (["second", "hour"], 0, 2_000_000, None),
        (["year"], 0, 0, [(1970,)]),
    ],
)
def test_spans(units: list[str], first: int, last: int, expected: list[tuple[int, ...]] | None) -> None:
    found = spans(units, first, last)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert [span.key for span in found] == expected
    assert found[0].start <= first
    assert found[-1].start <= last < found[-1].end
    assert all(one.end == other.start for one, other in itertools.pairwise(found))


def test_too_many() -> None:
    day = 86_400_000
    assert spans(["year", "month", "day"], 0, (MOST - 1) * day) is not None
    assert spans(["year", "month", "day"], 0, MOST * day) is None
    assert spans(["minute"], 60_000, 60_000) == [Span((1,), 60_000, 120_000)]

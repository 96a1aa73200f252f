"""Point widths, compared with btrdb's own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.services.streams.pointwidths import check_point_width
from flowthings_like.streams import PW, nearest_point_width, pointwidth, streams_errors

pytestmark = pytest.mark.once

genuine = pytest.importorskip("btrdb.utils.general").pointwidth


@pytest.mark.parametrize("exponent", range(62))
def test_they_are_btrdbs(exponent: int) -> None:
    ours, theirs = pointwidth(exponent), genuine(exponent)
    for name in [
        "nanoseconds",
        "microseconds",
        "milliseconds",
        "seconds",
        "minutes",
        "hours",
        "days",
        "weeks",
        "months",
        "years",
    ]:
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name))
    assert str(ours) == str(theirs)
    assert repr(ours) == repr(theirs)
    assert ours == exponent
    assert int(ours.incr()) == exponent + 1


@given(st.integers(1, 2**62))
def test_the_longest_that_is_not_longer(span: int) -> None:
    assert int(pointwidth.from_nanoseconds(span)) == int(genuine.from_nanoseconds(span))


@given(st.integers(-(2**59), 2**59), st.integers(1, 2**59), st.integers(20, 56))
def test_what_aligned_windows_cover(start: int, length: int, exponent: int) -> None:
    first, last, count = pointwidth(exponent).for_aligned_windows(start, start + length)
    size = 2**exponent
    assert first == start // size * size
    assert count == (start + length) // size - start // size
    assert last == first + (count - 1) * size


def test_comparing_and_adding() -> None:
    assert pointwidth(5) < 6 <= pointwidth(6) < pointwidth(7)
    assert pointwidth(5) + 2 == 7
    assert pointwidth(5) - pointwidth(2) == pointwidth(3)
    assert pointwidth(5) != "5"
    assert len({pointwidth(5), pointwidth(5)}) == 1
    assert range(10)[pointwidth(3)] == 3
    assert pointwidth(36).to_timedelta() == timedelta(microseconds=2**36 / 1000)
    assert int(pointwidth.from_timedelta(timedelta(hours=1))) == 41


def test_the_nearest_one() -> None:
    assert nearest_point_width(seconds=1) == 30
    assert nearest_point_width(hertz=30) == 25
    assert nearest_point_width(nanoseconds=1) == 0
    assert nearest_point_width(days=1000 * 365) == 60
    assert PW[36] == pointwidth(36)
    assert len(PW) == 61
    for wrong in ({}, {"hertz": 0}, {"seconds": -1}):
        with pytest.raises(streams_errors.InvalidPointWidth):
            nearest_point_width(**wrong)


def test_what_is_none() -> None:
    assert check_point_width(pointwidth(7)) == check_point_width(7.0) == 7
    for value in (-1, 64):
        with pytest.raises(streams_errors.InvalidPointWidth):
            check_point_width(value)
    for value in ("7", None, True, 7.5):
        with pytest.raises(TypeError):
            check_point_width(value)

"""The points in messages, compared with protobuf's own reading and writing of them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.errors import InvalidResponse
from flowthings_like.wire.btrdb import points, v5api
from flowthings_like.wire.btrdb.points import StatColumns, decode_raw, decode_stat, encode_raw, encode_stat

pytestmark = pytest.mark.once

TIMES = st.one_of(st.just(0), st.integers(-(2**63), 2**63 - 1))
VALUES = st.one_of(st.just(0.0), st.floats(allow_nan=False))
RAW = st.lists(st.tuples(TIMES, VALUES), max_size=120)
STAT = st.lists(st.tuples(TIMES, VALUES, VALUES, VALUES, st.integers(0, 2**64 - 1), VALUES), max_size=120)


def raw_columns(rows: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([row[0] for row in rows], "i8"), np.array([row[1] for row in rows], "f8")


def stat_columns(rows: list[tuple[int, float, float, float, int, float]]) -> StatColumns:
    types = "i8", "f8", "f8", "f8", "u8", "f8"
    return StatColumns(*(np.array([row[n] for row in rows], type) for n, type in enumerate(types)))


@given(RAW)
def test_protobuf_reads_what_is_written(rows: list[tuple[int, float]]) -> None:
    head = v5api.InsertParams(uuid=b"u" * 16, sync=True, merge_policy=v5api.REPLACE)
    message = v5api.InsertParams.FromString(head.SerializeToString() + encode_raw(*raw_columns(rows)))
    assert [(point.time, point.value) for point in message.values] == rows
    assert (message.uuid, message.sync, message.merge_policy) == (b"u" * 16, True, v5api.REPLACE)


@given(RAW, st.integers(0, 2**64 - 1))
def test_what_protobuf_writes_is_read(rows: list[tuple[int, float]], version: int) -> None:
    message = v5api.RawValuesResponse(versionMajor=version, versionMinor=7)
    for time, value in rows:
        message.values.add(time=time, value=value)  # leaves out what is zero
    rest, columns = decode_raw(message.SerializeToString())
    assert list(zip(columns.times.tolist(), columns.values.tolist(), strict=True)) == rows
    other = v5api.RawValuesResponse.FromString(rest)
    assert (other.versionMajor, other.versionMinor, len(other.values)) == (version, 7, 0)


@given(STAT)
def test_statistical_points_both_ways(rows: list[tuple[int, float, float, float, int, float]]) -> None:
    message = v5api.WindowsResponse.FromString(encode_stat(stat_columns(rows)))
    members = "time", "min", "mean", "max", "count", "stddev"
    assert [tuple(getattr(point, name) for name in members) for point in message.values] == rows
    rest, columns = decode_stat(message.SerializeToString())
    read = columns.times, columns.mins, columns.means, columns.maxes, columns.counts, columns.stddevs
    assert list(zip(*(column.tolist() for column in read), strict=True)) == rows
    assert rest == b""


@given(st.lists(st.sampled_from([(0, 0.0), (5, 0.0), (0, 2.5), (7, 1.5)]), max_size=400), st.integers(0, 80))
def test_runs_of_all_lengths(kinds: list[tuple[int, float]], repeats: int) -> None:
    rows = [row for row in kinds[:8] for _ in range(repeats)] + kinds
    message = v5api.RawValuesResponse()
    for time, value in rows:
        message.values.add(time=time, value=value)
    _, columns = decode_raw(message.SerializeToString())
    assert list(zip(columns.times.tolist(), columns.values.tolist(), strict=True)) == rows


def test_fields_between_points_and_members_in_any_order() -> None:
    value_first = struct.pack("<BBBdBq", 0x22, 18, 0x11, 2.5, 0x09, 5)
    unknown = struct.pack("<BBBqBdBB", 0x22, 20, 0x09, 6, 0x11, 3.5, 0x18, 1)
    twice = struct.pack("<BBBqBq", 0x22, 18, 0x09, 1, 0x09, 7)
    long_length = bytes([0x22, 0x92, 0x00]) + value_first[2:]
    version = bytes([0x10, 3])
    rest, columns = decode_raw(value_first * 20 + version + unknown + twice + long_length)
    assert columns.times.tolist() == [5] * 20 + [6, 7, 5]
    assert columns.values.tolist() == [2.5] * 20 + [3.5, 0.0, 2.5]
    assert rest == version


@pytest.mark.parametrize(
    "body",
    [
        b"\x22",
        b"\x22\x12\x09",
        b"\x22\x80",
        b"\x22\x05\x09aaaa",
        b"\x23",
        b"\x80" * 11,
        b"\x02\x00",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x22\x12\x09aaaaaaaa\x11bbbbbbb",
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidResponse):
        decode_raw(body)


def test_a_message_has_a_bounded_number_of_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "MOST_POINTS", 100)
    assert len(decode_raw(b"\x22\x00" * 100)[1]) == 100
    for body in (b"\x22\x00" * 101, b"\x22\x00\x22\x09\x09aaaaaaaa" * 51):
        with pytest.raises(InvalidResponse, match="more than 100 points"):
            decode_raw(body)


def test_a_million_points_are_a_few_arrays() -> None:
    times = np.arange(1_000_000) * 1000 + 1
    values = np.linspace(-5, 5, len(times)) + 1e-9
    _, columns = decode_raw(encode_raw(times, values, points.RETURNED))
    assert (columns.times == times).all()
    assert (columns.values == values).all()
    assert columns.times.flags.owndata

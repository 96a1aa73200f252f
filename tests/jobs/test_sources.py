"""A source gives the same rows from any position on, and its parts are all of it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like import API, InvalidInput, jobs
from flowthings_like.jobs.sources.base import Source
from flowthings_like.jobs.table import Chunk, Position

PIECES = ["a", ",", '"', "\n", "\r\n", "é", " ", "1", "\u2028"]
CELL = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
ROWS = st.lists(st.tuples(CELL, CELL), max_size=12)


def as_csv(rows: list[tuple[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("x", "y"), *rows])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def as_ndjson(rows: list[tuple[str, str]]) -> bytes:
    return b"\n\n".join(json.dumps({"x": x, "y": y}).encode() for x, y in rows)


def chunks(source: Source, size: int, start: Position) -> Iterator[Chunk]:
    with closing(source.chunks(size, start)) as found:
        yield from found


def rows_of(source: Source, size: int, start: Position = Position()) -> list[tuple[int, Any]]:  # noqa: B008
    found = []
    for chunk in chunks(source, size, start):
        table = chunk.table
        found += list(zip(table.numbers, zip(table.values("x"), table.values("y"), strict=True), strict=True))
    return found


@pytest.mark.once
@pytest.mark.parametrize("suffix", ["csv", "ndjson", "csv.gz"])
@settings(max_examples=40)
@given(rows=ROWS, size=st.integers(1, 5), part=st.integers(1, 5))
def test_from_any_position_on(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    rows: list[tuple[str, str]],
    size: int,
    part: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"in.{suffix}"
    content = (as_ndjson if "ndjson" in suffix else as_csv)(rows)
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    source = jobs.FileSource(path)
    expected = list(enumerate(rows, 1))
    assert rows_of(source, size) == expected
    for chunk in list(chunks(source, size, Position())):
        assert rows_of(source, 2, chunk.end) == expected[chunk.end.row :]
    found = []
    for one in source.parts(part):
        assert one.rows is not None
        assert 0 < one.rows <= part
        found += rows_of(source, size, one.start)[: one.rows]
    assert found == expected


@pytest.mark.once
def test_parquet_from_any_position_on(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "in.parquet"
    parquet.write_table(pa.table({"x": range(23), "y": ["a"] * 23}), path, row_group_size=5)
    source = jobs.FileSource(path)
    expected = [(n + 1, (n, "a")) for n in range(23)]
    for start in range(24):
        assert rows_of(source, 4, Position(start)) == expected[start:]
        ends = [chunk.end.row for chunk in chunks(source, 4, Position(start))]
        assert ends == [*range(start + 4, 23, 4), 23][: len(ends)]  # as in a load that has begun before
    assert [(part.start.row, part.rows) for part in source.parts(10)] == [(0, 10), (10, 10), (20, 3)]


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.csv", b"x,y\n1,2\n\xff,3\n", "not UTF-8: byte 8 is 0xff"),
        ("a.csv.gz", b"x,y\n1,2\n", "compressed file is damaged"),
        ("a.csv.gz", gzip.compress(b"x,y\n" + b"1,2\n" * 10_000)[:-20], "compressed file is damaged"),
        ("a.parquet", b"x,y\n", "not Parquet"),
        ("a.csv", b'x,y\n1,"2\n', "not CSV"),
        ("a.csv", b"x,y\r1,2\r", "not CSV, after row 0"),
        ("a.csv", b"\nx,y\n", "the first line is empty"),
        ("a.csv", b"x,y\n1," + b"2" * 140_000 + b"\n", "after row 0: a cell of CSV has more than 131,072"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, content: bytes, wanted: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=wanted):
        rows_of(jobs.FileSource(tmp_path / name), 2)


@pytest.mark.once
@pytest.mark.parametrize("name", ["A.CSV", "a.csv.GZ", "a.Json", "A.PARQUET", "-"])
def test_the_name_says_the_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [("1", "2"), ("3", "4")]
    path = tmp_path / name.lower()
    if "json" in path.name:
        path.write_bytes(as_ndjson(rows))
    elif "csv" in path.name:
        path.write_bytes(gzip.compress(as_csv(rows)) if "gz" in path.name else as_csv(rows))
    else:
        pq.write_table(pa.table({"x": ["1", "3"], "y": ["2", "4"]}), path)
    if name == "-":
        with os.popen(f"cat '{path}'") as pipe:
            monkeypatch.setattr(sys, "stdin", pipe)
            assert rows_of(jobs.FileSource("-", "parquet"), 2) == list(enumerate(rows, 1))
    else:
        assert rows_of(jobs.FileSource(path.rename(tmp_path / name)), 2) == list(enumerate(rows, 1))


@pytest.mark.once
def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowthings_like.jobs.sources.lines.LONGEST", 100)
    path = tmp_path / "in.csv"
    path.write_bytes(b"x,y\n1," + b"2" * 97 + b"\n")
    assert len(rows_of(jobs.FileSource(path), 2)) == 1
    path.write_bytes(b"x,y\n" + b"1" * 101 + b"\n")
    with pytest.raises(InvalidInput, match="after byte 4: a line has more than 100 bytes; is this text"):
        rows_of(jobs.FileSource(path), 2)


def test_a_flow_goes_on_behind_a_drop(api: API) -> None:
    api.drop("/acme/weather").create_many([{"elems": {"x": n, "y": 1}} for n in range(10)])
    source = jobs.FlowSource(api, "/acme/weather")
    first, *_ = list(chunks(source, 4, Position()))
    api.drop("/acme/weather").delete(first.table.values("id")[0])
    assert [values[0] for _, values in rows_of(source, 3, first.end)] == [4, 5, 6, 7, 8, 9]

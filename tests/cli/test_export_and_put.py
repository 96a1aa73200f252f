"""`flowthings-like put` and `export`, as a user types them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API

from .shell import Shell

pytestmark = pytest.mark.once

PATH = "/acme/weather"
DATA = ("--data", "data")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[API]:
    """The platform in the folder `data`, with an empty flow."""
    with API.embedded(tmp_path / "data") as api:
        api.flow.create({"path": PATH, "capacity": 100_000})
        yield api


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def stored(api: API, path: str = PATH) -> list[Any]:
    """The elements of the drops, oldest first."""
    return [drop["elems"] for drop in api.drop(path).iterate(order="asc")]


MIXED: list[dict[str, Any]] = [
    {"temp": 1, "sky": "clear, cold", "ok": True},
    {"temp": 2.5, "id": "x", "at": {"lat": 1.5, "lon": 2}, "ok": False},
    {"temp": None, "sky": 'a "quote"\nand é'},
]


def put_mixed(api: API) -> None:
    api.drop(PATH).create_many(
        [{"elems": elems, "creationDate": 1000 * n} for n, elems in enumerate(MIXED, 1)]
    )


def test_one_drop(api: API, shell: Shell) -> None:
    id = shell.succeed("put", PATH, "temp=39.02", "sky=clear", "ok=true", "none=", 'at={"a":[1]}', *DATA)
    (drop,) = api.drop(PATH).find()
    assert drop["id"] == id.strip()
    assert drop["elems"] == {"temp": 39.02, "sky": "clear", "ok": True, "none": "", "at": {"a": [1]}}
    printed = json.loads(shell.succeed("put", PATH, "temp=1", "--json", *DATA))
    assert printed == api.drop(PATH).read(printed["id"])


def test_a_file_of_csv(api: API, shell: Shell) -> None:
    text = "creationDate,id,temp,sky,code\n2013-01-31T12:00:00.5Z,d1,39.02,clear,007\n1359633600501,,,,8\n"
    (shell.folder / "in.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert shell.succeed("put", PATH, "-i", "in.csv.gz", *DATA) == "drops put: 2\n"
    assert stored(api) == [{"temp": 39.02, "sky": "clear", "code": "007"}, {"code": 8}]
    dates = [drop["creationDate"] for drop in api.drop(PATH).find()]
    assert dates == [1359633600501, 1359633600500]


def test_a_new_flow(api: API, shell: Shell) -> None:
    put = ["put", "/acme/new", "n=1", "--create", "--capacity", 7, *DATA]
    assert "there is no flow" in shell.fail("put", "/acme/new", "n=1", *DATA)
    for _ in range(2):
        shell.succeed(*put)
    (flow,) = api.flow.find_many("path == '/acme/new'")
    assert flow["capacity"] == 7
    assert stored(api, "/acme/new") == [{"n": 1}] * 2


@pytest.mark.parametrize("name", ["all.ndjson", "all.jsonl.gz"])
def test_ndjson_comes_back_as_it_was(api: API, shell: Shell, name: str) -> None:
    put_mixed(api)
    assert shell.succeed("export", PATH, "-o", name, *DATA) == ""
    assert shell.succeed("put", "/acme/copy", "-i", name, "--create", "--json", *DATA) == '{"stored":3}\n'
    assert stored(api, "/acme/copy") == stored(api)
    dates = [drop["creationDate"] for drop in api.drop("/acme/copy").find()]
    assert dates == [3000, 2000, 1000]


def test_csv(api: API, shell: Shell) -> None:
    put_mixed(api)
    rows = list(csv.DictReader(io.StringIO(shell.succeed("export", PATH, *DATA), newline="")))
    assert list(rows[0]) == ["id", "creationDate", "temp", "sky", "ok", "elems.id", "at"]
    assert [row["temp"] for row in rows] == ["1", "2.5", ""]
    assert [row["sky"] for row in rows] == ["clear, cold", "", 'a "quote"\nand é']
    assert rows[1]["at"] == '{"lat":1.5,"lon":2}'
    assert (rows[1]["elems.id"], rows[2]["creationDate"]) == ("x", "1970-01-01T00:00:03.000Z")
    two = shell.succeed(
        "export", PATH, "elems.temp > 1", "--elem", "ok", "--elem", "temp", *DATA
    ).splitlines()
    assert [line.partition(",")[2] for line in two] == [
        "creationDate,ok,temp",
        "1970-01-01T00:00:02.000Z,false,2.5",
    ]
    empty = shell.succeed("export", PATH, "elems.temp > 100", *DATA)
    assert empty == "id,creationDate\n"


def test_parquet(api: API, shell: Shell) -> None:
    from pyarrow import parquet

    put_mixed(api)
    shell.succeed("export", PATH, "-o", "all.parquet", *DATA)
    table = parquet.read_table(shell.folder / "all.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {
        "id": "string",
        "creationDate": "timestamp[ms, tz=UTC]",
        "temp": "double",
        "sky": "string",
        "ok": "bool",
        "elems.id": "string",
        "at": "string",
    }
    assert table["temp"].to_pylist() == [1.0, 2.5, None]
    assert table["at"].to_pylist() == [None, '{"lat":1.5,"lon":2}', None]
    shell.succeed("put", "/acme/copy", "-i", "all.parquet", "--create", *DATA)
    assert [elems.get("temp") for elems in stored(api, "/acme/copy")] == [1.0, 2.5, None]
    assert [drop["creationDate"] for drop in api.drop("/acme/copy").find()] == [3000, 2000, 1000]


def test_pipes(api: API, shell: Shell) -> None:
    lines = "".join(f'{{"n":{n}}}\n' for n in range(2500))
    done = shell.succeed("put", PATH, "-i", "-", "--format", "ndjson", *DATA, input=lines)
    assert done == "drops put: 2,500\n"
    got = shell.succeed("export", PATH, "--json", "--limit", 2000, *DATA).splitlines()
    assert [json.loads(line)["elems"]["n"] for line in got] == list(range(2000))


def test_a_load_that_fails_half_way_says_where_to_go_on(api: API, shell: Shell) -> None:
    rows = [f"{n},1000" for n in range(10)]
    (shell.folder / "in.csv").write_text("\n".join(["n,creationDate", *rows[:7], "7,noon"]))
    put = ["put", PATH, "-i", "in.csv", "--chunk", 3, *DATA]
    said = shell.fail(*put)
    assert (
        "after 6 drops of the file, which are stored (go on with --skip 6): line 9: creationDate is" in said
    )
    (shell.folder / "in.csv").write_text("\n".join(["n,creationDate", *rows]))
    shell.succeed(*put, "--skip", 6)
    assert sorted(elems["n"] for elems in stored(api)) == list(range(10))


def test_a_file_appears_when_it_is_complete(api: API, shell: Shell) -> None:
    (shell.folder / "out.csv").write_text("kept")
    shell.fail("export", "/acme/none", "-o", "out.csv", *DATA)
    assert (shell.folder / "out.csv").read_text() == "kept"
    assert sorted(path.name for path in shell.folder.iterdir()) == ["data", "out.csv"]


def test_progress_is_for_terminals(api: API, shell: Shell) -> None:
    put_mixed(api)
    near, far = pty.openpty()
    try:
        process = shell.start("export", PATH, *DATA, stderr=far, stdout=subprocess.DEVNULL)
        assert process.wait(60) == 0
        said = os.read(near, 10_000).decode()
    finally:
        os.close(near)
        os.close(far)
    assert "exported 3 drops" in said


@pytest.mark.parametrize(
    ("format", "text", "said"),
    [
        ("ndjson", "{\n", "line 1 is not JSON"),
        ("ndjson", "[1]\n", "line 1 is not an object"),
        ("csv", "a,b\n1\n", "line 2 has 1 cells, and the first line has 2"),
        ("parquet", "a,b\n1\n", "this is not Parquet"),
    ],
)
def test_what_cannot_be_read_is_explained(api: API, shell: Shell, format: str, text: str, said: str) -> None:
    assert said in shell.fail("put", PATH, "-i", "-", "--format", format, *DATA, input=text)
    assert stored(api) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["put", PATH], "give NAME=VALUE or --input FILE"),
        (["put", PATH, "a=1", "-i", "in.csv"], "give NAME=VALUE or --input FILE"),
        (["put", PATH, "warm"], "an element is NAME=VALUE, not 'warm'"),
        (["put", PATH, "a=1", "--capacity", "1"], "--capacity needs --create"),
        (["put", PATH, "a=1", "--chunk", "0"], "0 is not in the range"),
        (["export", PATH, "--format", "xml"], "invalid choice: 'xml'"),
        (["export", PATH, "--json", "--format", "csv"], "give --json or --format, not both"),
    ],
)
def test_wrong_usage(shell: Shell, arguments: list[str], said: str) -> None:
    assert said in shell.fail(*arguments, status=2)

"""`flowthings-like load`, as a user types it."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API

from .shell import Shell

pytestmark = pytest.mark.once

DATA = ("--data", "data")
NEW = ("--create", "--capacity", 10_000)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[API]:
    with API.embedded(tmp_path / "data") as api:
        yield api


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def write(folder: Path, rows: int, name: str = "in.csv") -> None:
    lines = ["n,place,value,time"]
    lines += [f"{n},{'EWR' if n % 2 else 'JFK'},{n / 4},{1_356_998_400 + n}" for n in range(1, rows + 1)]
    (folder / name).write_text("\n".join(lines) + "\n")


def stored(api: API, path: str) -> list[Any]:
    return [drop["elems"] for drop in api.drop(path).iterate(order="asc")]


def test_a_file_into_flows(api: API, shell: Shell) -> None:
    write(shell.folder, 10)
    load = ("load", "in.csv", "--into", "/acme/by/{place}", "--time", "time", "--time-unit", "s", *NEW, *DATA)
    assert shell.succeed(*load) == "rows read: 10; drops stored: 10\n"
    assert stored(api, "/acme/by/EWR")[0] == {"n": 1, "place": "EWR", "value": 0.25}
    assert api.drop("/acme/by/EWR").find()[-1]["creationDate"] == 1_356_998_401_000
    told = json.loads(shell.succeed(*load, "--filter", "n > 7", "--key", "n", "--json"))
    assert (told["rows"], told["stored"], told["left_out"]) == (10, 3, 7)


def test_a_folder_that_is_missing(shell: Shell) -> None:
    write(shell.folder, 10)
    load = ("load", "in.csv", "--into", "/acme/a", "--data", "new")
    assert "there is no folder 'new'; " in shell.run(*load).stderr
    assert shell.succeed(*load, *NEW) == "rows read: 10; drops stored: 10\n"


def test_a_database_of_its_own(shell: Shell) -> None:
    write(shell.folder, 10)
    with closing(sqlite3.connect(shell.folder / "other.db")) as connection:
        connection.execute("create table t (n int, place text, value real, time int)")
    into = ("load", "in.csv", "--into", "table:t", "--create", *DATA)
    assert "the table t cannot be used" in shell.fail(*into)
    assert (
        shell.succeed(*into, "--db", "sqlite:///other.db") == "rows read: 10; rows of the table stored: 10\n"
    )
    back = ("--into", "/acme/a", *NEW, *DATA, "--db", "sqlite:///other.db")
    assert shell.succeed("load", "query:select n from t", *back) == "rows read: 10; drops stored: 10\n"
    refused = shell.fail("load", "query:select 1 from missing", *back)
    assert "the query cannot be made: no such table: missing" in refused
    shown = shell.fail(
        "load", "query:select 1", *back, "--db", "postgresql://me:secret@localhost/a", status=2
    )
    assert "put the URL into FLOWTHINGS_DB" in shown


def test_refused_rows(api: API, shell: Shell) -> None:
    write(shell.folder, 10)
    with (shell.folder / "in.csv").open("a") as file:
        file.write("eleven,EWR,1,2\n12,EWR\n")
    done = shell.run("load", "in.csv", "--into", "/acme/a", "--type", "n=int", *NEW, *DATA)
    assert (done.returncode, done.stdout) == (3, "rows read: 12; drops stored: 10\n")
    assert done.stderr == "flowthings-like: rows refused: 2; see in.csv.rejects.ndjson\n"
    lines = [json.loads(line) for line in (shell.folder / "in.csv.rejects.ndjson").read_text().splitlines()]
    assert [line["row"] for line in lines] == [11, 12]
    assert lines[1]["reason"] == "it has 2 cells, and the line of names has 4"


def rows_done(shell: Shell) -> int:
    """How far the load with the checkpoint `cp` is."""
    checkpoint = shell.folder / "cp"
    return int(json.loads(checkpoint.read_text())["position"]["row"]) if checkpoint.exists() else 0


def wait_for_rows(shell: Shell, rows: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and rows_done(shell) < rows:
        time.sleep(0.02)


def test_it_is_stopped_and_killed_and_goes_on(api: API, shell: Shell) -> None:
    write(shell.folder, 400)
    load = ("load", "in.csv", "--into", "/acme/a", *NEW, *DATA, "--checkpoint", "cp", "--batch", 10)
    process = shell.start(*load, "--calls-per-second", 20, stderr=subprocess.PIPE)
    wait_for_rows(shell, 10)
    second = shell.run(*load)
    assert (second.returncode, second.stdout) == (1, "")
    assert "cp is the checkpoint of a load that runs now; wait until it has ended" in second.stderr
    process.send_signal(signal.SIGINT)
    assert process.communicate()[1] == "flowthings-like: stopped; the same command goes on here\n"
    assert process.returncode == 130
    process = shell.start(*load, "--calls-per-second", 20)
    wait_for_rows(shell, rows_done(shell) + 10)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    printed = shell.succeed(*load)
    assert printed.startswith("rows read: 400, ")
    assert printed.endswith(" of them now; drops stored: 400\n")
    assert sorted(elems["n"] for elems in stored(api, "/acme/a")) == list(range(1, 401))
    assert shell.succeed(*load) == "rows read: 400, 0 of them now; drops stored: 400\n"


def test_other_sources_and_targets(api: API, shell: Shell) -> None:
    write(shell.folder, 6)
    (shell.folder / "double.py").write_text("def double(row):\n    return {'n': row['n'] * 2}\n")
    points = ("--into", "streams:by/{place}", "--time", "time", "--time-unit", "s", "--value", "value=v")
    assert shell.succeed("load", "in.csv", *points, "--create", *DATA) == "rows read: 6; points stored: 6\n"
    (ewr,) = api.stream.streams_in_collection("by/EWR", tags={"name": "v"})
    assert [point.value for point, _ in ewr.values("2013-01-01", "2013-01-02")] == [0.25, 0.75, 1.25]
    api.db.run_operation("create table t (n integer)")
    table = ("--into", "table:t", "--transform", "double:double")
    assert shell.succeed("load", "in.csv", *table, *DATA) == "rows read: 6; rows of the table stored: 6\n"
    assert api.db.run_query("select sum(n) from t") == [(42,)]
    copy = ("--into", "/acme/copy", *NEW)
    shell.succeed("load", "query:select n from t order by n", *copy, *DATA)
    shell.succeed("load", "flow:/acme/copy", "--into", "records:<i", "--time", "creationDate", "--value", "n",
                  "--time-unit", "ms", *DATA)  # fmt: skip
    assert shell.succeed("records", "get", "--payload", "<i", "--data", "data").count("\n") == 7
    piped = shell.succeed(
        "load", "-", "--into", "/acme/copy", "--format", "ndjson", *DATA, input='{"n": 1}\n'
    )
    assert piped == "rows read: 1; drops stored: 1\n"
    assert len(stored(api, "/acme/copy")) == 7


def test_what_is_wrong_is_said_before_anything_is_sent(api: API, shell: Shell) -> None:
    write(shell.folder, 3)
    for wanted, status, *arguments in [
        ("there is no flow /acme/none", 1, "in.csv", "--into", "/acme/none"),
        ("there is no column 'plaice'", 1, "in.csv", "--into", "/acme/{plaice}", *NEW),
        ("No such file", 1, "none.csv", "--into", "/acme/a", *NEW),
        ("'acme/a' is nothing to load into", 1, "in.csv", "--into", "acme/a"),
        ("give the capacity of created flows", 1, "in.csv", "--into", "/acme/a", "--create"),
        ("give the column with the times of streams", 1, "in.csv", "--into", "streams:a"),
        ("there is no function 'os:none'", 2, "in.csv", "--into", "/acme/a", "--transform", "os:none"),
        ("a type is NAME=TYPE", 2, "in.csv", "--into", "/acme/a", "--type", "n"),
        ("calls per second are a positive number", 1, "in.csv", "--into", "/acme/a", *NEW,
         "--calls-per-second", -1),
    ]:  # fmt: skip
        assert wanted in shell.fail("load", *arguments, *DATA, status=status)
    assert api.flow.find_many() == []


def test_progress_on_a_terminal(api: API, shell: Shell) -> None:
    write(shell.folder, 100)
    terminal, end = pty.openpty()
    load = ("load", "in.csv", "--into", "/acme/a", *NEW, *DATA, "--batch", 10, "--calls-per-second", 20)
    process = shell.start(*load, stdout=-3, stderr=end)
    os.close(end)
    said = b""
    try:
        while part := os.read(terminal, 1000):
            said += part
    except OSError:  # the end of a terminal
        pass
    assert process.wait() == 0
    os.close(terminal)
    first, *_, last = said.decode().strip().split("\r")
    assert " rows, " in first
    assert "loaded 100 rows, " in last
    assert ", 100%" in last


def test_a_flow_that_is_too_small(shell: Shell) -> None:
    write(shell.folder, 20)
    done = shell.run("load", "in.csv", "--into", "/acme/a", "--create", "--capacity", 5, *DATA)
    assert done.stdout == "rows read: 20; drops stored: 20\n"
    assert done.stderr.startswith("flowthings-like: warning: 15 of the 20 drops that this call has created")
    assert done.stderr.count("\n") == 1

"""`flowthings-like records`, against a store, as a user types it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API
from flowthings_like.records import (
    BytesPayloadType,
    Channel,
    Key,
    Record,
    StructPayloadType,
    TuplePayloadType,
    UnitPayloadType,
    from_unix_ns,
)

from .shell import Shell

pytestmark = pytest.mark.once

NAMES = ["cid", "mid", "moid", "cap", "acq"]


class RecordsShell(Shell):
    """Runs `flowthings-like records` in a folder, against a server."""

    def __init__(self, folder: Path, server: str) -> None:
        super().__init__(folder)
        self.environment["FLOWTHINGS_RECORDS"] = server

    def run(self, *arguments: object, input: str | None = None) -> subprocess.CompletedProcess[str]:
        return super().run("records", *arguments, input=input)

    def fail(self, *arguments: object, status: int = 1, input: str | None = None) -> str:
        said = super().fail(*arguments, status=status, input=input)
        assert said.startswith("flowthings-like: ")
        return said

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        return super().start("records", *arguments, **options)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with API.embedded(tmp_path_factory.mktemp("records") / "data") as api:
        host, port = api.record.address()
        yield f"tstorage://{host}:{port}"


@pytest.fixture
def shell(server: str, tmp_path: Path) -> Shell:
    return RecordsShell(tmp_path, server)


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(1, 10_000))


@pytest.fixture
def cid(numbers: Iterator[int]) -> int:
    """A client that no other test uses."""
    return next(numbers)


def channel(server: str, payload_type: Any) -> Channel[Any]:
    host, _, port = server.removeprefix("tstorage://").rpartition(":")
    return Channel(host, int(port), payload_type, timeout=30, strict=True)


def put(server: str, payload_type: Any, records: list[Record[Any]], with_acq: bool = True) -> None:
    with channel(server, payload_type) as opened:
        (opened.puta if with_acq else opened.put)(records)


def stored(server: str, payload_type: Any, cid: int) -> list[tuple[Any, ...]]:
    """The records of a client: mid, moid, cap, acq and value of each, sorted."""
    low, high = Key.min()._replace(cid=cid), Key.max()._replace(cid=cid + 1)
    with channel(server, payload_type) as opened:
        return sorted((*key[1:], value) for key, value in opened.get(low, high).data)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_what_was_put_is_got(shell: Shell, server: str, cid: int) -> None:
    (shell.folder / "in.csv").write_text(
        "payload,cap,note,mid,moid\n39.02,2013-01-01T06:00:00.000000001Z,jan,5,1\n-1e300,17,,6,-2\n"
    )
    assert shell.succeed("put", "in.csv", "--payload", "<d", "--cid", cid) == "records put: 2\n"
    new_year = from_unix_ns(1_357_020_000 * 10**9 + 1)
    found = stored(server, StructPayloadType("<d"), cid)
    assert [(*key, value) for *key, _, value in found] == [(5, 1, new_year, 39.02), (6, -2, 17, -1e300)]

    got = rows(shell.succeed("get", "--cid", cid, "--payload", "<d"))
    assert [list(row) for row in got] == [[*NAMES, "payload"]] * 2
    assert sorted((row["cap"], row["payload"]) for row in got) == [
        ("17", "-1e+300"),
        (str(new_year), "39.02"),
    ]


VALUES: dict[str, tuple[Any, list[Any]]] = {
    "<d": (StructPayloadType("<d"), [0.1, float("inf"), -0.0]),
    "<q": (StructPayloadType("<q"), [-(2**63), 2**63 - 1, 0]),
    "<Q": (StructPayloadType("<Q"), [2**64 - 1, 0, 1]),
    "<?": (StructPayloadType("<?"), [True, False, True]),
    "<d?3sI": (TuplePayloadType("<d?3sI"), [(1.5, True, b"\0ab", 7), (2.5, False, b"abc", 2**32 - 1)]),
    "none": (UnitPayloadType(), [(), ()]),
    "hex": (BytesPayloadType(), [b"", b"\xff\0", b"abc"]),
    "bytes": (BytesPayloadType(), [b"", b"\xff\0", b"abc"]),
    "text": (BytesPayloadType(), [b'a,"b\n', "°F".encode(), b""]),
}
SUFFIXES = [
    *((payload, suffix) for payload in VALUES for suffix in ("csv", "parquet")),
    *((payload, "ndjson") for payload in ("<d", "<Q", "<d?3sI", "bytes")),
    ("hex", "csv.gz"),
]


@pytest.mark.parametrize(("payload", "suffix"), SUFFIXES)
def test_every_payload_survives_every_format(
    shell: Shell, server: str, numbers: Iterator[int], payload: str, suffix: str
) -> None:
    cid, copied = next(numbers), next(numbers)
    payload_type, values = VALUES[payload]
    given = [Record(Key(cid, number, -1, 2, number), value) for number, value in enumerate(values)]
    put(server, payload_type, given)
    path = shell.folder / f"all.{suffix}"
    assert shell.succeed("get", "--cid", cid, "--payload", payload, "-o", path.name) == ""
    renumber(path, cid, copied)
    shell.succeed("put", path.name, "--payload", payload, "--acq")
    assert repr(stored(server, payload_type, copied)) == repr(stored(server, payload_type, cid))


def renumber(path: Path, old: int, new: int) -> None:
    """Give the records in a file to another client."""
    if path.suffix == ".parquet":
        import pyarrow
        from pyarrow import parquet

        table = parquet.read_table(path)
        numbers = pyarrow.array([new] * len(table), pyarrow.int32())
        parquet.write_table(table.set_column(0, "cid", numbers), path)
        return
    open_text = gzip.open if path.suffix == ".gz" else open
    form = '"cid":{},' if path.suffix == ".ndjson" else "\n{},"
    with open_text(path, "rt", newline="") as read:
        text = read.read()
    with open_text(path, "wt", newline="") as write:
        write.write(text.replace(form.format(old), form.format(new)))


def test_a_range_is_a_box(shell: Shell, server: str, cid: int) -> None:
    day = 86_400 * 10**9
    new_year = from_unix_ns(1_356_998_400 * 10**9)
    put(
        server,
        StructPayloadType("<i"),
        [
            Record(Key(cid, mid, moid, new_year + days * day, 1_000 + days), mid)
            for mid in (1, 2, 3)
            for moid in (0, 7)
            for days in range(4)
        ],
    )

    def count(*options: object) -> int:
        return len(rows(shell.succeed("get", "--cid", cid, "--payload", "<i", *options)))

    assert count() == 24
    assert count("--mid", "2") == 8
    assert count("--mid", "2..", "--moid", "..7") == 8
    assert count("--cap", "2013-01-02..2013-01-04") == 12
    assert count("--cap", "2013-01-02T00:00:00Z..", "--mid", "1..2", "--acq", "..1003") == 4
    assert count("--cap", "2014-01-01..") == 0


def test_pipes(shell: Shell, cid: int) -> None:
    lines = "".join(f'{{"cid":{cid},"mid":{n},"moid":0,"cap":{n},"payload":{n / 4}}}\n' for n in range(1000))
    assert shell.succeed("put", "--json", "--payload", "<d", input=lines) == "records put: 1,000\n"
    got = shell.succeed("get", "--cid", cid, "--payload", "<d", "--json")
    assert sorted(json.loads(line)["payload"] for line in got.splitlines()) == [n / 4 for n in range(1000)]


def test_a_reader_that_has_enough(shell: Shell, server: str, cid: int) -> None:
    put(server, UnitPayloadType(), [Record(Key(cid, n, 0, 0, 0), ()) for n in range(50_000)])
    command = (
        f"'{sys.executable}' -m flowthings_like.cli.main records get --cid {cid} --payload none | head -1"
    )
    script = f"set -o pipefail; {command}; echo $?"
    done = subprocess.run(
        ["bash", "-c", script],
        env=shell.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("cid,mid,moid,cap,acq\n141\n", "")


def test_progress_is_for_terminals(shell: Shell, server: str, cid: int) -> None:
    put(server, UnitPayloadType(), [Record(Key(cid, n, 0, 0, 0), ()) for n in range(3)])
    near, far = pty.openpty()
    try:
        process = shell.start("get", "--cid", cid, "--payload", "none", stderr=far, stdout=subprocess.DEVNULL)
        assert process.wait(60) == 0
        said = os.read(near, 10_000).decode()
    finally:
        os.close(near)
        os.close(far)
    assert "got 3 records" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cid,mid,moid,cap,payload\n1,2,3,4,1.5\n1,x,3,4,1.5\n", "line 3: mid is a whole number, not 'x'"),
        ("cid,mid,moid,cap,payload\n1,2,3,noon,1.5\n", "line 2: cap is a time such as"),
        ("cid,mid,moid,cap,payload\n1,2,3,4,warm\n", "line 2: could not convert string to float: 'warm'"),
        ("cid,mid,moid,cap,payload\n1,2,3\n", "line 2 has 3 cells, and the first line has 5"),
        ("cid,mid,moid,cap,payload\n1,2,3,4,1e300\n", "record 0 cannot be put: its payload is 1e+300"),
        ("cid,mid,cap,payload\n1,2,3,4\n", "there is no column moid"),
        ("cid,mid,moid,cap\n1,2,3,4\n", "there is no column payload"),
    ],
)
def test_what_cannot_be_put_is_explained(shell: Shell, text: str, said: str) -> None:
    assert said in shell.fail("put", "--payload", "<f", input=text)


def test_cells_with_several_lines(shell: Shell, server: str, cid: int) -> None:
    text = f'cid,mid,moid,cap,payload\n{cid},1,0,0,"a\nb"\n\n{cid},2,0,0,c\n'
    assert shell.succeed("put", "--payload", "text", "--skip", "0", input=text) == "records put: 2\n"
    assert [value for *_, value in stored(server, BytesPayloadType(), cid)] == [b"a\nb", b"c"]
    assert "row 2: mid is a whole number" in shell.fail(
        "put", "--payload", "text", input=text.replace(",2,", ",x,")
    )


def test_what_is_no_text_is_explained(shell: Shell, server: str, cid: int) -> None:
    lines = b"cid,mid,moid,cap,payload\n" + b"1,2,3,4,abc\n" * 1000
    (shell.folder / "cut.csv.gz").write_bytes(gzip.compress(lines)[:60])
    assert "the compressed file is damaged" in shell.fail("put", "cut.csv.gz", "--payload", "text")
    (shell.folder / "latin.csv").write_bytes(lines + "1,2,3,4,\xe9\n".encode("latin-1"))
    assert "the file is not UTF-8" in shell.fail("put", "latin.csv", "--payload", "text")
    assert "is not JSON" in shell.fail("put", "--json", "--payload", "text", input="{")
    half = '{"cid":1.5,"mid":1,"moid":1,"cap":1,"payload":"a"}'
    assert "line 1: 'float' object cannot be" in shell.fail("put", "--json", "--payload", "text", input=half)

    put(server, BytesPayloadType(), [Record(Key(cid, 1, 0, 0, 0), b"\xff")])
    done = shell.run("get", "--cid", cid, "--payload", "text")
    assert (done.returncode, rows(done.stdout)) == (1, [])
    assert done.stderr == "flowthings-like: a payload is not UTF-8; write --payload hex\n"


def test_invalid_records(shell: Shell, server: str, cid: int) -> None:
    text = f"cid,mid,moid,cap,payload\n{cid},1,0,0,1\n-3,2,0,0,2\n{cid},3,0,0,3\n"
    assert "record 1 cannot be put: cid must be 0 to 2147483647" in shell.fail(
        "put", "--payload", "<i", input=text
    )
    assert stored(server, StructPayloadType("<i"), cid) == []
    done = shell.succeed("put", "--payload", "<i", "--skip-invalid", input=text)
    assert done == "records put: 2, left out as invalid: 1\n"
    assert [value for *_, value in stored(server, StructPayloadType("<i"), cid)] == [1, 3]


def test_a_load_that_fails_half_way_says_where_to_go_on(shell: Shell, server: str, cid: int) -> None:
    lines = [f"{cid},{n},0,0,{n}" for n in range(10)]
    names = "cid,mid,moid,cap,payload"
    (shell.folder / "in.csv").write_text("\n".join([names, *lines[:7], f"{cid},x,0,0,7"]))
    said = shell.fail("put", "in.csv", "--payload", "<i", "--chunk", 3)
    assert "line 9: mid is a whole number" in said
    assert "after 6 records of the file, which are stored (go on with --skip 6): " in said
    (shell.folder / "in.csv").write_text("\n".join([names, *lines]))
    shell.succeed("put", "in.csv", "--payload", "<i", "--chunk", 3, "--skip", 6)
    assert [value for *_, value in stored(server, StructPayloadType("<i"), cid)] == list(range(10))


def test_a_file_appears_when_it_is_complete(shell: Shell, server: str, cid: int) -> None:
    records = [Record(Key(cid, 1, 0, 0, 0), b"1234"), Record(Key(cid, 2, 0, 0, 0), b"12345")]
    put(server, BytesPayloadType(), records)
    (shell.folder / "out.csv").write_text("kept")
    said = shell.fail("get", "--cid", cid, "--payload", "<i", "-o", "out.csv")
    assert "payload of 5 bytes" in said
    assert [path.name for path in shell.folder.iterdir()] == ["out.csv"]
    assert (shell.folder / "out.csv").read_text() == "kept"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["get", "--mid", "5..5"], "the range 5..5 of mid is empty"),
        (["get", "--cid", "-1"], "cid is a number from 0 to 2147483647"),
        (["get", "--cap", "noon.."], "cap is a time such as"),
        (["get", "--format", "xml"], "invalid choice"),
        (["put", "--chunk", "0"], "give a number from 1"),
        (["follow", "--format", "parquet"], "invalid choice"),
        ([], "get|put|follow"),
    ],
)
def test_wrong_usage_has_the_status_2(shell: Shell, arguments: list[str], said: str) -> None:
    done = shell.run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_servers_that_are_not_there(shell: Shell, tmp_path: Path) -> None:
    assert "there is no folder" in shell.fail("get", "--data", tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    assert "127.0.0.1:1" in shell.fail("get", "--server", "tstorage://127.0.0.1:1")
    assert "give tstorage://host:port" in shell.fail("get", "--server", "http://127.0.0.1")
    shell.environment["FLOWTHINGS_RECORDS"] = ""
    assert "--data DIR, --server" in shell.fail("get")


def test_a_folder(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    text = "mid,moid,cap,payload\n1,2,3,c0ffee\n"
    assert shell.succeed("put", "--data", "data", "--cid", 0, input=text) == "records put: 1\n"
    got = rows(shell.succeed("get", "--data", "data"))
    assert [row["payload"] for row in got] == ["c0ffee"]


def test_following_goes_on_where_it_ended(shell: Shell, server: str, cid: int) -> None:
    follow = ["follow", "--cid", cid, "--payload", "<i", "--every", "0.05", "-o", "out.csv"]

    def add(*values: int) -> None:
        put(server, StructPayloadType("<i"), [Record(Key(cid, n, 0, 0), n) for n in values], with_acq=False)

    def followed() -> list[int]:
        path = shell.folder / "out.csv"
        return sorted(int(row["payload"]) for row in rows(path.read_text())) if path.exists() else []

    def wait_for(values: list[int]) -> None:
        deadline = time.monotonic() + 60
        while followed() != values:
            assert time.monotonic() < deadline, f"{followed()}, not {values}"
            time.sleep(0.01)

    add(1, 2)
    for first in (3, 5):
        process = shell.start(*follow, "--acq-file", "acq")
        try:
            wait_for(list(range(1, first)))
            add(first, first + 1)
            wait_for(list(range(1, first + 2)))
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
    add(7)
    with (shell.folder / "out.csv").open("a") as file:
        file.write(f"{cid},7,0,0,1,7\n{cid},99,0")  # what a killed process has left
    shell.succeed(*follow, "--acq-file", "acq", "--once")
    assert followed() == [1, 2, 3, 4, 5, 6, 7]
    shell.succeed(*follow, "--acq-file", "acq", "--once")
    assert followed() == [1, 2, 3, 4, 5, 6, 7]

    (shell.folder / "acq").write_text("")
    assert "acq has no acq" in shell.fail(*follow, "--acq-file", "acq", "--once")

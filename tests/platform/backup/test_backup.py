"""Copies of a folder in use: they show one moment, and a kill leaves a whole one or none."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API, ConfigurationError, mem
from flowthings_like.platform.backup.backup import back_up
from flowthings_like.platform.backup.restore import restore
from flowthings_like.platform.duckdb.copy_lock import CopyLock
from flowthings_like.records import BytesPayloadType, Key

from ..rest.served import ROOT, Served
from . import loading_process

pytestmark = [pytest.mark.once, pytest.mark.sqlite("copies the files of a folder")]

PATIENCE = 120


class Load:
    """A process that writes to a folder. `acknowledged` is the last number that it was told is stored."""

    def __init__(self, folder: Path) -> None:
        script = [sys.executable, "-W", "ignore", loading_process.__file__, str(folder)]
        self.process = subprocess.Popen(
            script, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        self.acknowledged = -1
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.acknowledged = int(line)

    def wait_for(self, number: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.acknowledged < number:
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def loading(folder: Path, first: int = 20) -> Iterator[Load]:
    load = Load(folder)
    try:
        load.wait_for(first)
        yield load
    finally:
        load.kill()


def command(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "flowthings_like", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def run(*arguments: str | Path) -> str:
    """Run a command that succeeds. Returns what it prints."""
    process = command(*arguments)
    printed, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return printed


def refused(*arguments: str | Path) -> str:
    """Run a command that fails. Returns the line that it prints."""
    process = command(*arguments)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    (line,) = errors.splitlines()
    return line


def counts(folder: Path) -> list[int]:
    """How many numbers drops, the stream, records and the database have, all of them without a gap."""
    with API.embedded(folder) as api:
        flow = api.flow.find(mem.path == "/acme/numbers")[0]
        drops = [drop["elems"]["number"] for drop in api.drop(flow["id"]).iterate()]
        points = [
            point.time for point, _ in api.stream.stream_from_uuid(loading_process.STREAM).values(0, 10**9)
        ]
        got = api.record(BytesPayloadType()).get(Key.min(), Key.max())
        assert got
        assert all(record.value == loading_process.PAYLOAD for record in got.data)
        records = [record.key.cap - 1 for record in got.data]
        rows = [number for (number,) in api.db.run_query("select number from numbers")]
    for numbers in (drops, points, records, rows):
        assert sorted(numbers) == list(range(len(numbers)))
    return [len(numbers) for numbers in (drops, points, records, rows)]


def check_moment(folder: Path, acknowledged: int) -> None:
    """Assert that a folder shows one moment, at which all of this was stored."""
    found = counts(folder)
    assert min(found) > acknowledged
    # They are written one after the other: at any moment they differ by one number at most.
    assert found == sorted(found, reverse=True)
    assert found[0] - found[-1] <= 1


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data that nobody has open."""
    folder = tmp_path_factory.mktemp("written") / "data"
    with loading(folder, 100):
        pass
    return folder


def test_copies_of_a_folder_in_use_show_one_moment(tmp_path: Path) -> None:
    names = ["copy", "copy.tar", "copy.tar.gz", "another"]
    with loading(tmp_path / "data") as load:
        for name in names:
            acknowledged = load.acknowledged
            printed = run("backup", tmp_path / "data", tmp_path / name)
            assert "as of: " in printed
            load.wait_for(load.acknowledged + 1)  # nothing has hindered it
            run("restore", tmp_path / name, tmp_path / f"restored-{name}")
            check_moment(tmp_path / f"restored-{name}", acknowledged)
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "restored-copy").rglob("*")}
    assert modes == {0}


def test_a_copy_that_is_killed_is_whole_or_not_there(tmp_path: Path) -> None:
    with loading(tmp_path / "data", 100) as load:
        for number in range(6):
            acknowledged = load.acknowledged
            target, partial = tmp_path / "copy", tmp_path / ".copy.partial" / "copy"
            process = command("backup", tmp_path / "data", target)
            while not partial.exists() and not target.exists() and process.poll() is None:
                time.sleep(0.0005)
            time.sleep(random.Random(number).random() * 0.05)
            process.kill()
            process.communicate()
            load.wait_for(load.acknowledged + 1)  # what it held is free
            if target.exists():
                run("restore", target, tmp_path / f"restored-{number}")
                check_moment(tmp_path / f"restored-{number}", acknowledged)
                shutil.rmtree(target)
        run("backup", tmp_path / "data", tmp_path / "copy")
        run("restore", tmp_path / "copy", tmp_path / "restored")
        assert not list(tmp_path.glob(".copy.*"))


def test_a_writer_that_is_killed_while_it_is_copied(tmp_path: Path) -> None:
    for number in range(2):
        with loading(tmp_path / f"data-{number}") as load:
            process = command("backup", tmp_path / f"data-{number}", tmp_path / f"copy-{number}")
            partial = tmp_path / f".copy-{number}.partial" / "copy"
            while not partial.exists() and process.poll() is None:
                time.sleep(0.0005)
            time.sleep(random.Random(number).random() * 0.02)
            load.kill()
            assert process.wait(PATIENCE) == 0
            process.communicate()
        run("restore", tmp_path / f"copy-{number}", tmp_path / f"restored-{number}")
        found = counts(tmp_path / f"restored-{number}")
        assert found[0] - found[-1] <= 1


def test_a_restore_that_is_killed_leaves_the_old_folder_or_the_new_one(written: Path, tmp_path: Path) -> None:
    copy, place = tmp_path / "copy.tar", tmp_path / "place"
    run("backup", written, copy)
    expected = counts(written)
    for number in range(6):
        former = []
        if number % 2:
            with API.embedded(place) as api:  # an older state of it
                api.flow.create({"path": f"/acme/old{number}"})
            former = ["--replace"]
        process = command("restore", copy, place, *former)
        partial = tmp_path / ".place.partial"
        while not partial.exists() and process.poll() is None:
            time.sleep(0.0005)
        time.sleep(random.Random(number).random() * 0.03)
        process.kill()
        process.communicate()
        if place.exists():
            with API.embedded(place) as api:
                paths = [flow["path"] for flow in api.flow.find()]
            assert paths in (["/acme/numbers"], [f"/acme/old{number}"])
            shutil.rmtree(place)
        else:
            assert not number % 2
        for left in tmp_path.glob("place.before-*"):
            shutil.rmtree(left)
    run("restore", copy, place)
    assert counts(place) == expected
    assert not list(tmp_path.glob(".place.*"))


def test_a_folder_in_use_is_not_replaced(written: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    back_up(written, copy)
    shutil.copytree(written, tmp_path / "data")
    with Served(tmp_path / "data") as served:
        assert "is in use" in refused("restore", copy, tmp_path / "data", "--replace")
        served.kill()
    with API.embedded(tmp_path / "data") as api:  # which serves nothing
        api.flow.find()
        assert "is in use" in refused("restore", copy, tmp_path / "data", "--replace")
        api.flow.create({"path": "/acme/still-there"})
    printed = run("restore", copy, tmp_path / "data", "--replace")
    assert counts(tmp_path / "data") == counts(written)
    (former,) = [line.removeprefix("before: ") for line in printed.splitlines() if "before: " in line]
    with API.embedded(former) as api:
        assert api.flow.find(mem.path == "/acme/still-there")


def test_what_is_there_is_not_overwritten(written: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken.tar").touch()
    assert "is there already" in refused("backup", written, tmp_path / "taken")
    assert "is there already" in refused("backup", written, tmp_path / "taken.tar")
    assert "no platform's folder" in refused("backup", tmp_path, tmp_path / "copy")
    for name, said in ((written / "copy.tar", "is in the folder"), (tmp_path / "copy.zip", "ends with .tar")):
        with pytest.raises(ConfigurationError, match=said):
            back_up(written, name)
    assert "pg_dump" in refused("backup", "postgresql://host/name", tmp_path / "copy")
    back_up(written, tmp_path / "copy")
    assert "is not empty" in refused("restore", tmp_path / "copy", written)
    with pytest.raises(ConfigurationError, match="no platform's folder"):
        restore(tmp_path / "copy", tmp_path, replace=True)
    assert "no backup" in refused("restore", tmp_path / "taken", tmp_path / "new")
    run("restore", tmp_path / "copy", tmp_path / "taken")  # it is empty


@pytest.mark.parametrize("blocks", [20, 1500])  # of a KiB, for each file
def test_a_disk_that_is_full_is_one_line_and_leaves_nothing(
    blocks: int, written: Path, tmp_path: Path
) -> None:
    back_up(written, tmp_path / "copy")
    for arguments in (
        ("backup", written, tmp_path / "full.tar"),
        ("restore", tmp_path / "copy", tmp_path / "full"),
    ):
        program = [sys.executable, "-m", "flowthings_like", *map(str, arguments)]
        limited = ["bash", "-c", f'ulimit -f {blocks}; exec "$@"', "bash", *program]
        done = subprocess.run(
            limited, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("flowthings-like: ")
        assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_folder_whose_drops_are_on_a_server_is_copied_too(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "data")
    for file in (tmp_path / "data").glob("platform.db*"):
        file.unlink()
    back_up(tmp_path / "data", tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "data", replace=True)
    restored = tmp_path / "data"
    assert (restored / "streams" / "streams.duckdb").exists()
    assert not (restored / "platform.db").exists()


def damage(copy: Path, how: str) -> None:
    manifest: dict[str, Any] = json.loads((copy / "manifest.json").read_text())
    if how == "byte":
        content = bytearray((copy / "records" / "payloads").read_bytes())
        content[len(content) // 2] ^= 1
        (copy / "records" / "payloads").write_bytes(content)
    elif how == "longer":
        with (copy / "platform.db").open("ab") as file:
            file.write(b"x")
    elif how == "missing":
        (copy / "platform.db").unlink()
    elif how == "format":
        manifest["format"] = 99
    elif how == "outside":
        manifest["files"][0]["name"] = "../outside"
    elif how == "text":
        (copy / "manifest.json").write_text("{")
        return
    (copy / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("how", ["byte", "longer", "missing", "format", "outside", "text"])
def test_a_damaged_copy_is_not_restored(how: str, written: Path, tmp_path: Path) -> None:
    back_up(written, tmp_path / "copy")
    damage(tmp_path / "copy", how)
    with tarfile.open(tmp_path / "copy.tar", "w") as tar:
        tar.add(tmp_path / "copy" / "manifest.json", "manifest.json")
        for path in sorted((tmp_path / "copy").rglob("*")):
            if path.is_file() and path.name != "manifest.json":
                tar.add(path, path.relative_to(tmp_path / "copy").as_posix())
    packed = bytearray(gzip.compress((tmp_path / "copy.tar").read_bytes()))
    packed[len(packed) // 2 :] = bytes(range(256)) * 4  # which zlib cannot unpack
    (tmp_path / "copy.tgz").write_bytes(packed)
    (tmp_path / "text.tar").write_text("no archive")
    for source in [tmp_path / name for name in ("copy", "copy.tar", "copy.tgz", "text.tar")]:
        with pytest.raises(ConfigurationError) as failed:
            restore(source, tmp_path / "new")
        assert "\n" not in str(failed.value)
        assert not (tmp_path / "new").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "copy.tar", "copy.tgz", "text.tar"]


def test_nothing_is_committed_while_a_copy_is_made(tmp_path: Path) -> None:
    with loading(tmp_path / "data") as load:
        for family in ("streams", "records"):
            lock = CopyLock(tmp_path / "data" / family)
            with lock.held():
                time.sleep(0.3)  # in which what was under way ends
                acknowledged = load.acknowledged
                time.sleep(0.3)
                assert load.acknowledged == acknowledged
            load.wait_for(acknowledged + 1)
            lock.close()


def test_a_copy_waits_for_the_transaction_under_way(written: Path, tmp_path: Path) -> None:
    for family in ("streams", "records"):
        lock = CopyLock(written / family)
        target = tmp_path / f"copy-{family}"
        with lock.held():
            process = command("backup", written, target)
            while not (tmp_path / f".copy-{family}.partial" / "copy").exists():
                time.sleep(0.001)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
        lock.close()
        process.communicate(timeout=PATIENCE)
        assert (target / "manifest.json").exists()


def test_a_copy_gets_its_turn_however_busy_the_writer_is(tmp_path: Path) -> None:
    script = f"""
import time
from pathlib import Path
from flowthings_like.platform.duckdb.copy_lock import CopyLock
lock = CopyLock(Path({str(tmp_path)!r}))
print("ready", flush=True)
while True:
    with lock.held():
        time.sleep(0.001)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    process.stdout.readline()
    lock = CopyLock(tmp_path)
    for _ in range(50):
        with lock.held():
            pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with lock.held():  # the system has released it
        pass
    lock.close()

"""Which process serves a folder's records, and what happens when that process ends."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.errors import ConfigurationError
from flowthings_like.green.backends import choice as backend
from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.records.database import FILE
from flowthings_like.platform.records.payload_file import FILE as PAYLOADS
from flowthings_like.platform.records.service import LOCK
from tests.forked import forked

from ..serving import serving
from .raw_client import END, HIGHEST, LOWEST, RawClient, Stored, batch, header


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def platform(folder: Path) -> Iterator[Platform]:
    with open_platform(folder, "acme") as opened:
        yield opened


def record(number: int, payload: bytes = b"payload!") -> Stored:
    return Stored(1, number, 3, 4, 5, payload)


def test_nothing_runs_until_an_address_is_asked_for(folder: Path, platform: Platform) -> None:
    assert not (folder / LOCK).exists()
    assert not (folder / FILE).exists()


@pytest.mark.once
def test_the_engine_is_imported_only_when_it_is_needed(folder: Path) -> None:
    code = (
        "import sys; from flowthings_like.platform.embedded import open_platform; "
        f"open_platform({str(folder)!r}, 'acme').close(); "
        "print({'duckdb', 'numpy', 'flowthings_like.wire.tstorage'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.once
def test_a_package_that_is_missing(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowthings_like.platform.records import service

    monkeypatch.setattr(service, "find_spec", lambda name: None if name == "duckdb" else name)
    with pytest.raises(ConfigurationError, match="package duckdb; run: pip install"):
        platform.records_address()
    monkeypatch.undo()
    assert platform.records_address()


def test_it_listens_on_loopback_and_the_address_stays(platform: Platform) -> None:
    address = platform.records_address()
    assert address.host == "127.0.0.1"
    assert platform.records_address() == address


def test_only_the_owner_may_read_the_files(platform: Platform, folder: Path) -> None:
    platform.records_address()
    for name in (LOCK, FILE, PAYLOADS):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / FILE).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_two_platforms_of_a_process_share_a_node(platform: Platform, folder: Path) -> None:
    with open_platform(folder, "bravo") as second:
        assert second.records_address() == platform.records_address()


def test_the_next_one_takes_over(folder: Path) -> None:
    with open_platform(folder, "acme") as second:
        with open_platform(folder, "acme") as first:
            first.records_address()
            with RawClient(second.records_address()) as client:
                client.put([record(1), record(2, b"x" * 100)], with_acq=True)
        with RawClient(second.records_address()) as client:
            assert sorted(client.get()[0]) == [record(1), record(2, b"x" * 100)]


def test_closing_answers_what_is_under_way(folder: Path) -> None:
    with open_platform(folder, "acme") as platform, RawClient(platform.records_address()) as client:
        client.send(header(5) + batch(1, [record(1)] * 1000))
        node: Any = platform.records._running.node  # type: ignore[union-attr]
        while not any(session.is_busy for session in node._sessions):
            backend.detect().sleep(0.005)
        closing = backend.detect().spawn(platform.records.close)
        client.send(END)
        client.put_reply()
        backend.detect().get(closing, 30)
        assert client.rest() == b""


def test_a_closed_platform_raises(folder: Path) -> None:
    platform = open_platform(folder, "acme")
    platform.close()
    with pytest.raises(ConfigurationError, match="closed"):
        platform.records_address()


def test_a_platform_without_a_folder(tmp_path: Path) -> None:
    with open_platform(f"sqlite:///{tmp_path / 'elsewhere.db'}", "acme") as platform:
        if platform.store.folder is None:
            with pytest.raises(ConfigurationError, match="records='tstorage://"):
                platform.records_address()


def test_files_that_are_not_ours(folder: Path, platform: Platform) -> None:
    (folder / FILE).parent.mkdir()
    (folder / FILE).write_bytes(b"nonsense" * 2000)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        platform.records_address()
    (folder / FILE).unlink()
    assert platform.records_address()  # the lock was released


def test_payloads_that_are_missing(folder: Path) -> None:
    with open_platform(folder, "acme") as platform, RawClient(platform.records_address()) as client:
        client.put([record(1, b"x" * 1000)])
    (folder / PAYLOADS).write_bytes(b"x" * 999)
    with open_platform(folder, "acme") as platform:
        with pytest.raises(ConfigurationError, match="copy the folder's files together"):
            platform.records_address()
        (folder / PAYLOADS).write_bytes(b"y" * 1000)
        with RawClient(platform.records_address()) as client:
            assert [each.payload for each in client.get()[0]] == [b"y" * 1000]


def test_a_forked_child_leaves_the_parents_store_alone(folder: Path) -> None:
    with open_platform(folder, "acme") as platform, RawClient(platform.records_address()) as client:
        client.acq()
        assert forked(lambda: None)() == "fine"
        client.put([record(1)], with_acq=True)
        assert client.get()[0] == [record(1)]
    with open_platform(folder, "acme") as platform, RawClient(platform.records_address()) as client:
        assert client.get()[0] == [record(1)]


def test_another_process_serves_until_it_is_killed(folder: Path) -> None:
    """What was acknowledged is there as a whole; what was not is there as a whole or not at all."""
    acknowledged: list[int] = []
    sizes = {0: 1, 1: 4_000, 2: 1, 3: 300}

    def payload(number: int) -> bytes:
        return number.to_bytes(8, "little") * (1 if number % 4 < 2 else 20)

    with open_platform(folder, "acme") as platform:
        with serving(folder, "records") as (process, address):
            assert list(platform.records_address()) == address

            def put(first: int) -> None:
                with RawClient(address) as client:
                    for number in range(first, 1 << 40, 4):
                        try:
                            client.put([record(number, payload(number))] * sizes[first])
                        except (OSError, EOFError):
                            return
                        acknowledged.append(number)

            threads = [threading.Thread(target=put, args=(first,)) for first in range(4)]
            for thread in threads:
                thread.start()
            while len(acknowledged) < 100 or len({number % 4 for number in acknowledged}) < 4:
                backend.detect().sleep(0.005)
            with RawClient(address) as half:
                half.send(header(5) + batch(9, [record(1)] * 10_000))
                process.send_signal(signal.SIGKILL)
                for thread in threads:
                    thread.join()
            process.wait()
        with RawClient(platform.records_address()) as client:
            found, _ = client.get()
            counts: dict[int, int] = {}
            for each in found:
                assert each.cid == 1
                assert each.payload == payload(each.mid)
                counts[each.mid] = counts.get(each.mid, 0) + 1
            assert set(acknowledged) <= set(counts)
            assert all(count == sizes[number % 4] for number, count in counts.items())
            stamp, _ = client.put([record(7, b"after")])
            assert stamp > max(each.acq for each in found)
            last = client.get((*LOWEST[:4], stamp), HIGHEST)[0]
            assert [each.payload for each in last] == [b"after"]

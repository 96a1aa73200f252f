"""Which process serves a folder's streams, and what happens when that process ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like.errors import ConfigurationError
from flowthings_like.green.backends import choice as backend
from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.streams.database import FILE
from flowthings_like.platform.streams.service import LOCK
from flowthings_like.wire.grpc.status import GrpcError

from ..serving import serving
from .remote import Remote


@pytest.fixture
def platform(folder: Path) -> Iterator[Platform]:
    with open_platform(folder, "acme") as opened:
        yield opened


def test_nothing_runs_until_an_address_is_asked_for(folder: Path, platform: Platform) -> None:
    assert not (folder / LOCK).exists()
    assert not (folder / FILE).exists()


@pytest.mark.once
def test_the_engine_is_imported_only_when_it_is_needed(folder: Path) -> None:
    code = (
        "import sys; from flowthings_like.platform.embedded import open_platform; "
        f"open_platform({str(folder)!r}, 'acme').close(); "
        "print({'duckdb', 'numpy', 'h2', 'google.protobuf', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.once
def test_a_package_that_is_missing(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowthings_like.platform.streams import service

    monkeypatch.setattr(service, "find_spec", lambda name: None if name == "duckdb" else name)
    with pytest.raises(ConfigurationError, match="package duckdb; run: pip install"):
        platform.streams_address()
    monkeypatch.undo()
    assert platform.streams_address()


def test_the_address_stays_and_hides_the_key(platform: Platform) -> None:
    address = platform.streams_address()
    assert address.host == "127.0.0.1"
    assert platform.streams_address() == address
    assert address.key not in repr(address)
    assert address.key.startswith("acme:")


def test_only_the_owner_may_read_the_files(platform: Platform, folder: Path) -> None:
    platform.streams_address()
    for name in (LOCK, FILE):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    # DuckDB makes more files there, whose modes it takes from the umask.
    assert stat.S_IMODE((folder / FILE).parent.stat().st_mode) == 0o700


def test_keys(platform: Platform) -> None:
    host, port, key = platform.streams_address()
    token = platform.accounts.new_master("bravo")
    with Remote((host, port, key)) as here, Remote((host, port, token)) as there:
        uuid = here.create()
        here.insert(uuid, [1], [1.0])
        there.create(uuid)  # another account
        assert list(there.values(uuid, 0, 9)) == []
        assert list(here.values(uuid, 0, 9)) == [(1, 1.0)]
        platform.accounts.new_master("bravo")
        with pytest.raises(GrpcError):
            there.version(uuid)
    secret = key.removeprefix("acme:")
    others = "", "nonsense", "x" * 9999, secret, token, platform.token
    for wrong in (*others, f"acme:{secret}x", f"A!:{secret}"):
        with Remote((host, port, wrong)) as remote, pytest.raises(GrpcError) as caught:
            remote.version(uuid)
        assert caught.value.code == 16
        assert caught.value.message == "invalid api key"


def test_two_platforms_of_a_process_share_a_node(platform: Platform, folder: Path) -> None:
    with open_platform(folder, "bravo") as second:
        assert second.streams_address()[:2] == platform.streams_address()[:2]


def test_the_next_one_takes_over(folder: Path) -> None:
    with open_platform(folder, "acme") as second:
        with open_platform(folder, "acme") as first:
            address = first.streams_address()
            with Remote(second.streams_address()) as remote:
                uuid = remote.create()
                remote.insert(uuid, [1], [1.0])
        taken_over = second.streams_address()
        assert taken_over.key != address.key
        with Remote(taken_over) as remote:
            assert list(remote.values(uuid, 0, 9)) == [(1, 1.0)]


def test_another_process_serves_until_it_is_killed(folder: Path) -> None:
    """What was acknowledged is there, whatever was under way."""
    acknowledged: list[int] = []
    with open_platform(folder, "acme") as platform:
        with serving(folder, "streams") as (process, address):
            assert list(platform.streams_address()) == address
            with Remote(address) as remote:
                uuid = remote.create()

                def insert(first: int) -> None:
                    size = 1 if first % 2 else 10_000
                    for number in range(first * 10_000_000, (first + 1) * 10_000_000, 10_000):
                        try:
                            remote.insert(uuid, range(number, number + size), [float(number)] * size)
                        except Exception:
                            return
                        acknowledged.append(number)

                threads = [threading.Thread(target=insert, args=(first,)) for first in range(4)]
                for thread in threads:
                    thread.start()
                while len(acknowledged) < 200:
                    backend.detect().sleep(0.005)
                process.send_signal(signal.SIGKILL)
                for thread in threads:
                    thread.join()
            process.wait()
        with Remote(platform.streams_address()) as remote:
            found = dict(remote.values(uuid, 0, 1 << 60))
            version = remote.version(uuid)
    for number in acknowledged:
        size = 1 if number // 10_000_000 % 2 else 10_000
        for time in (number, number + size - 1):
            assert found[time] == float(number)
    # An insert is there as a whole or not at all.
    whole = sum(1 if number // 10_000_000 % 2 else 10_000 for number in set(found.values()) or {0.0})
    assert len(found) == whole
    assert version == 10 + len(set(found.values()))


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_leaves_the_parents_store_alone(folder: Path) -> None:
    with open_platform(folder, "acme") as platform:
        address = platform.streams_address()
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        with Remote(address) as remote:
            uuid = remote.create()
            assert remote.insert(uuid, [1], [1.0]) == 11
    with open_platform(folder, "acme") as platform, Remote(platform.streams_address()) as remote:
        assert remote.version(uuid) == 11


def test_a_closed_platform_raises(folder: Path) -> None:
    platform = open_platform(folder, "acme")
    platform.close()
    with pytest.raises(ConfigurationError, match="closed"):
        platform.streams_address()


def test_a_platform_without_a_folder(tmp_path: Path) -> None:
    with open_platform(f"sqlite:///{tmp_path / 'elsewhere.db'}", "acme") as platform:
        if platform.store.folder is None:
            with pytest.raises(ConfigurationError, match="streams='grpcs://"):
                platform.streams_address()


def test_a_file_that_is_no_database(folder: Path, platform: Platform) -> None:
    (folder / FILE).parent.mkdir()
    (folder / FILE).write_bytes(b"nonsense" * 2000)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        platform.streams_address()
    (folder / FILE).unlink()
    assert platform.streams_address()  # the lock was released

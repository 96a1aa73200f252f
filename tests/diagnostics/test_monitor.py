"""The block monitor, on the backend that this interpreter is patched for."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
import time
import warnings
from contextlib import suppress

import pytest

from flowthings_like import Block, GreenWarning, block_monitor, doctor
from flowthings_like.diagnostics.monitor import Watch
from flowthings_like.errors import ConfigurationError, InvalidInput
from flowthings_like.green import detect, native
from tests.green.fakes import until

BACKEND = detect().name
green_only = pytest.mark.needs("green", "nothing can hold a hub that is not there")


@pytest.fixture
def backend():
    return detect()


@pytest.fixture(autouse=True)
def afresh(monkeypatch):
    """Without recorded findings and given warnings, before and after the test."""
    from flowthings_like.green import findings

    monkeypatch.setattr(findings, "_noted", {})
    monkeypatch.setattr(findings, "_warned", set())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GreenWarning)
        yield


def really_sleep(seconds: float) -> None:
    """The unpatched `time.sleep`."""
    if BACKEND == "gevent":
        from gevent.monkey import get_original

        get_original("time", "sleep")(seconds)
    else:
        from eventlet.patcher import original

        original("time").sleep(seconds)


def seen_in(function: str, blocks: list[Block]) -> list[Block]:
    """The blocks in one function. On a busy machine there may be others."""
    return [block for block in blocks if block.stack[-1].name == function]


@green_only
def test_it_reports_which_thread_held_the_hub_how_long_and_where(backend):
    blocks: list[Block] = []

    def blocker(secret):
        really_sleep(0.5)

    with block_monitor(0.1, blocks.append) as monitor:
        assert monitor.watching
        backend.get(backend.spawn(blocker, "a-secret"))
        until(lambda: len(blocks) >= 1, "a report")
    assert not monitor.watching
    (block,) = seen_in("really_sleep", blocks)
    assert block.code == "G12"
    assert 0.35 <= block.seconds < 20
    assert "running blocker," in block.thread
    assert block.stack[-1].name == "really_sleep"
    assert block.stack[-2].name == "blocker"
    assert block.where.endswith("in really_sleep")
    assert __file__ in str(block)
    assert "a-secret" not in str(block)
    assert "G12" in [finding.code for finding in doctor()]  # others are about drivers that tests import


@green_only
def test_it_reports_c_code_that_computes(backend):
    blocks: list[Block] = []

    def hash_slowly():
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2_000_000)

    with block_monitor(0.05, blocks.append):
        backend.get(backend.spawn(hash_slowly))
    assert len(seen_in("hash_slowly", blocks)) == 1


@green_only
def test_a_thread_that_yields_is_not_reported(backend):
    blocks: list[Block] = []

    def polite():
        for _ in range(20):
            really_sleep(0.01)
            backend.sleep(0)

    with block_monitor(1.0, blocks.append):
        for thread in [backend.spawn(polite) for _ in range(6)]:  # together 1.2 s without a rest
            backend.get(thread)
        backend.sleep(1.2)  # an idle hub is no block
        native(really_sleep, 1.2)
    assert blocks == []


@green_only
def test_a_database_on_the_hubs_thread_is_g08(backend, tmp_path):
    blocks: list[Block] = []

    class Store:
        def __init__(self):
            self._connection = sqlite3.connect(tmp_path / "data", timeout=0.5)

        def count(self):
            with suppress(sqlite3.OperationalError):  # it stays locked
                self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()

    holder = sqlite3.connect(tmp_path / "data", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with block_monitor(0.05, blocks.append):
        store = Store()
        backend.get(backend.spawn(store.count))
        store._connection.close()
    holder.close()
    (block,) = seen_in("count", blocks)
    assert block.code == "G08"
    assert "in SQLite" in str(block)
    assert "native" in block.finding.write


@green_only
def test_it_reports_a_callback_of_the_hub(backend):
    blocks: list[Block] = []

    def callback():
        really_sleep(0.5)

    with block_monitor(0.1, blocks.append):
        if BACKEND == "gevent":
            import gevent

            gevent.get_hub().loop.run_callback(callback)
        else:
            from eventlet import hubs

            hubs.get_hub().schedule_call_global(0, callback)
        backend.sleep(0.05)
        until(lambda: len(blocks) >= 1, "a report")
    assert blocks[0].thread.startswith("a callback of the hub")


@green_only
def test_a_block_that_lasts_when_it_is_stopped_is_reported(backend):
    blocks: list[Block] = []
    monitor = block_monitor(0.1, blocks.append).start()
    really_sleep(0.5)
    monitor.stop()
    monitor.stop()
    assert blocks[0].thread.startswith("the main green thread")
    really_sleep(0.3)
    backend.sleep(0.1)
    assert len(blocks) == 1


@pytest.mark.once
def test_a_block_that_ends_while_it_is_stopped_is_delivered_once_before_stop_returns():
    going, told, told_by_the_stop = threading.Event(), [], []

    def deliver(block):
        going.wait(10)
        told.append(block)

    def stop():
        watch.stop()
        told_by_the_stop.extend(told)

    watch = Watch(0.01, object(), "", threading.get_ident(), deliver, threading.Lock())
    watch.check(1, None)
    time.sleep(0.02)
    watch.check(1, None)
    checking = threading.Thread(target=watch.check, args=(2, None))
    stopping = threading.Thread(target=stop)
    checking.start()
    stopping.start()
    stopping.join(0.05)  # in this time it would stop too early, if it did
    going.set()
    checking.join()
    stopping.join()
    assert len(told) == 1
    assert told_by_the_stop == told


@green_only
def test_it_may_be_started_again_but_not_twice(backend):
    blocks: list[Block] = []
    monitor = block_monitor(0.1, blocks.append)
    for _ in range(2):
        with monitor:
            with pytest.raises(ConfigurationError, match="already"):
                monitor.start()
            really_sleep(0.3)
    assert len(seen_in("really_sleep", blocks)) == 2


@green_only
def test_by_default_it_writes_to_the_log(backend, caplog):
    with caplog.at_level(logging.WARNING), block_monitor(0.1):
        really_sleep(0.3)
    assert {record.name for record in caplog.records} == {"flowthings_like.blocks"}
    assert "G12 warning: the main green thread" in caplog.text


@green_only
def test_the_first_of_each_code_is_a_warning_at_the_line_that_blocked(backend):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(2):
            with block_monitor(0.1, lambda block: None):
                really_sleep(0.3)
    (warning,) = [warning for warning in seen if warning.category is GreenWarning]
    assert warning.filename == __file__


@green_only
def test_a_report_that_raises_does_not_stop_the_monitor(backend, capsys):
    blocks: list[Block] = []

    def report(block):
        blocks.append(block)
        raise ValueError("report failed")

    def blocker():
        really_sleep(0.3)

    with block_monitor(0.1, report):
        backend.get(backend.spawn(blocker))
        until(lambda: len(blocks) == 1, "a report")
        backend.get(backend.spawn(blocker))
        until(lambda: len(blocks) == 2, "a second one")
    assert capsys.readouterr().err.count("ValueError: report failed") == 2


@green_only
def test_a_long_block_is_printed_while_it_lasts(backend, capsys):
    with block_monitor(0.02, lambda block: None):
        really_sleep(1.0)
        said = capsys.readouterr().err
    assert "in really_sleep" in said
    assert said.count("(it goes on)") == 1


@pytest.mark.needs("threads", "about threads")
def test_on_threads_there_is_nothing_to_watch():
    with block_monitor(0.1) as monitor:
        assert not monitor.watching


@pytest.mark.parametrize("longest", [0, -1, 0.001, float("inf"), float("nan"), "1", None, True])
def test_invalid_times_are_refused(longest):
    with pytest.raises(InvalidInput, match="longest is a time in seconds"):
        block_monitor(longest)


def test_a_report_must_be_callable():
    with pytest.raises(InvalidInput, match="takes a Block"):
        block_monitor(0.1, report="stderr")

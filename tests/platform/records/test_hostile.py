"""Clients that break the protocol, vanish, or take too much."""

from __future__ import annotations

import random
import socket
import struct
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.green.backends import choice as backend
from flowthings_like.platform.records import store, writer
from flowthings_like.platform.records.limits import Limits
from flowthings_like.platform.records.node import Node
from flowthings_like.platform.records.session import Session

from .raw_client import END, ERROR, RawClient, Stored, acq_request, batch, get_request, header, put_request

RECORD = Stored(1, 2, 3, 4, 5, b"payload!")


def packed(cid: int, batch_size: int, record_size: int, rest: bytes = bytes(100)) -> bytes:
    """A put of one record with the sizes as given."""
    return header(5) + struct.pack("<iii", cid, batch_size, record_size) + rest


def stored(node: Node) -> list[Stored]:
    with RawClient(node.addresses[0]) as client:
        return client.get()[0]


MALFORMED = {
    "no command": header(0),
    "command 2": header(2),
    "command 4": header(4, 64) + bytes(64),
    "command 8": header(8),
    "a negative command": header(-5),
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a GET with a large header": header(1, 1 << 40),
    "a PUT with header data": header(5, 16) + bytes(16),
    "a record without a key": packed(1, 100, 0),
    "a record of 19 bytes": packed(1, 100, 19),
    "a record of -4 bytes": packed(1, 100, -4),
    "a record of -2^31 bytes": packed(1, 100, -(2**31)),
    "a record beyond its batch": packed(1, 28, 25),
    "a record of 2^31-1 bytes": packed(1, 2**31 - 1, 2**31 - 1),
    "a payload of more than 32 MiB": packed(1, 2**31 - 1, 20 + (32 << 20) + 1),
    "a PUTA of 27 bytes": header(6) + struct.pack("<iii", 1, 100, 27) + bytes(100),
    "a batch of -1 bytes": packed(1, -1, 28),
    "a batch of 1 byte": packed(1, 1, 28),
    "a batch of 23 bytes": packed(1, 23, 20),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_gets_an_error_and_stores_nothing(node: Node, name: str) -> None:
    good = struct.pack("<ii", 1, 32) + batch(1, [RECORD])[8:]
    with RawClient(node.addresses[0]) as client:
        client.send(MALFORMED[name])
        assert client.rest() == ERROR
    if name.startswith(("a record", "a batch", "a payload")):
        with RawClient(node.addresses[0]) as client:  # after a batch that is fine
            client.send(header(5) + good + MALFORMED[name][12:])
            assert client.rest() == ERROR
    assert stored(node) == []


def test_the_frame_of_a_negative_cid(node: Node) -> None:
    """TStorage's own client sends it: it ends the put, and what follows is no request."""
    for garbage in (struct.pack("<ii", 0, -1), struct.pack("<i", 0) + batch(2, [RECORD]) + END):
        with RawClient(node.addresses[0]) as client:
            client.send(header(5) + batch(1, [RECORD]) + struct.pack("<i", -7) + garbage + bytes(12))
            client.put_reply()
            assert client.rest() == ERROR
    assert len(stored(node)) == 2


@pytest.mark.parametrize("with_acq", [False, True])
def test_a_put_that_is_cut_at_every_byte(node: Node, with_acq: bool) -> None:
    whole = put_request([RECORD, RECORD._replace(cid=2, payload=b"x" * 70)], with_acq)
    for size in range(len(whole)):
        with RawClient(node.addresses[0]) as client:
            client.send(whole[:size])
            client.sock.shutdown(1)
            assert client.rest() == b""
    assert stored(node) == []


def test_a_client_that_vanishes_while_it_is_answered(node: Node) -> None:
    with RawClient(node.addresses[0]) as client:
        client.put([RECORD._replace(payload=bytes(20 << 20))])
        client.send(get_request() * 3)
        client.receive(100_000)
    assert len(stored(node)) == 1


def test_an_error_while_the_client_still_sends_can_be_read(node: Node) -> None:
    with RawClient(node.addresses[0]) as client:
        client.send(packed(1, 2**31 - 1, 5))
        for _ in range(40):
            client.send(bytes(1 << 20))
        client.sock.shutdown(1)
        assert client.rest() == ERROR
    assert stored(node) == []


def test_an_error_does_not_touch_what_came_before(client: RawClient, node: Node) -> None:
    client.send(put_request([RECORD]) + acq_request() + header(3))
    client.put_reply()
    client.receive(20)
    assert client.rest() == ERROR
    assert len(stored(node)) == 1


def test_other_clients_are_served_beside_a_silent_one(node: Node) -> None:
    with RawClient(node.addresses[0]) as silent:
        silent.send(header(5) + struct.pack("<ii", 1, 2**31 - 1))
        assert stored(node) == []


@contextmanager
def limited(folder: Path, **limits: Any) -> Iterator[Node]:
    node = Node(folder, "127.0.0.1", 0, Limits(**limits))
    try:
        yield node
    finally:
        node.close()


@pytest.mark.parametrize("sent", [b"", header(5), put_request([RECORD])[:-1], get_request()[:-1]])
def test_clients_that_wait_too_long_are_disconnected(tmp_path: Path, sent: bytes) -> None:
    with (
        limited(tmp_path, idle_timeout=0.2, stall_timeout=0.2) as node,
        RawClient(node.addresses[0]) as client,
    ):
        client.send(sent)
        assert client.rest() == b""


def test_a_client_that_does_not_read_is_disconnected(tmp_path: Path) -> None:
    with limited(tmp_path, stall_timeout=0.3) as node, RawClient(node.addresses[0]) as client:
        client.put([RECORD._replace(payload=bytes(30 << 20))])
        client.send(get_request())
        while node._sessions:
            backend.detect().sleep(0.02)


def test_a_client_that_ignores_its_error_is_disconnected(tmp_path: Path) -> None:
    with limited(tmp_path, linger=0.2) as node, RawClient(node.addresses[0]) as client:
        client.send(header(3))
        while node._sessions:
            backend.detect().sleep(0.02)
        assert client.rest() == ERROR


def test_connections_are_bounded(tmp_path: Path) -> None:
    with limited(tmp_path, connections=2) as node:
        address = node.addresses[0]
        with RawClient(address) as first, RawClient(address) as second:
            first.acq()
            second.acq()
            with RawClient(address) as third:
                assert third.rest() == b""
            first.close()
            while len(node._sessions) > 1:
                backend.detect().sleep(0.01)
            with RawClient(address) as fourth:
                fourth.acq()


def test_a_large_put_waits_in_a_file(client: RawClient, node: Node) -> None:
    area = node.store._area
    area.put_memory = 50_000
    sent = [Stored(1, number, 3, 4, 5, random.randbytes(number % 100)) for number in range(20_000)]
    for start in range(0, 20_000, 5_000):
        client.send((header(6) if not start else b"") + batch(1, sent[start : start + 5_000], with_acq=True))
    while not area._usages or not next(iter(area._usages)).disk:
        backend.detect().sleep(0.01)
    client.send(END)
    client.put_reply()
    while area._usages:
        backend.detect().sleep(0.01)
    assert sorted(client.get()[0]) == sorted(sent)


def test_a_large_put_is_not_held_in_memory_until_its_commit(
    client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, flush = writer._Inserter._columns, writer._Inserter.flush
    inserted: list[weakref.ref[Any]] = []
    alive: list[int] = []

    def noting(self: Any, batch: Any, stamp: int) -> Any:
        found = columns(self, batch, stamp)
        inserted.append(weakref.ref(found["acq"]))
        return found

    def before_the_commit(self: Any) -> None:
        flush(self)
        alive.append(sum(each() is not None for each in inserted))

    monkeypatch.setattr(writer._Inserter, "_columns", noting)
    monkeypatch.setattr(writer._Inserter, "flush", before_the_commit)
    monkeypatch.setattr(writer, "_ROWS_AT_ONCE", 1000)
    client.send(header(5) + batch(1, [RECORD] * 50_000) + END)
    client.put_reply()
    assert len(inserted) > 4
    assert alive == [0]


def test_puts_may_take_so_much_and_no_more(node: Node) -> None:
    area = node.store._area
    area.put_memory, area.disk = 10_000, 100_000
    with RawClient(node.addresses[0]) as client:
        client.send(header(5) + batch(1, [RECORD] * 10_000))
        assert client.rest() == ERROR
    while area._usages:
        backend.detect().sleep(0.01)
    with RawClient(node.addresses[0]) as client:
        client.put([RECORD])
        assert client.get()[0][0].payload == RECORD.payload


def test_records_that_do_not_come_whole_may_take_so_much(node: Node) -> None:
    node.store._area.unfinished = 5 << 20
    begun = header(5) + batch(1, [RECORD._replace(payload=bytes(4 << 20))])[:-1]
    with RawClient(node.addresses[0]) as first, RawClient(node.addresses[0]) as second:
        first.send(begun)
        while sum(usage.unfinished for usage in list(node.store._area._usages)) < 4 << 20:
            backend.detect().sleep(0.01)
        second.send(begun)
        assert second.rest() == ERROR
        first.send(b"\0" + END)
        first.put_reply()
    assert len(stored(node)) == 1


def test_a_disk_that_is_full_refuses_a_put_and_serves_on(
    client: RawClient, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put([RECORD._replace(payload=b"y" * 100)])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(node.store._payload_file), "sync", full)
    client.send(put_request([RECORD, RECORD._replace(payload=b"x" * 100)]))
    assert client.rest() == ERROR
    monkeypatch.undo()
    assert [each.payload for each in stored(node)] == [b"y" * 100]
    with RawClient(node.addresses[0]) as other:
        other.put([RECORD._replace(payload=b"z" * 100)])
    assert [each.payload for each in stored(node)] == [b"y" * 100, b"z" * 100]


def test_one_put_that_fails_does_not_fail_those_of_its_group(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = writer._Inserter.insert

    def failing(self: Any, put: Any, stamp: int) -> None:
        if any((batch.columns["mid"] == 66).any() for batch in put.batches()):
            raise OSError("this one")
        insert(self, put, stamp)

    monkeypatch.setattr(writer._Inserter, "insert", failing)
    fine: list[int] = []

    def put(mid: int) -> None:
        with RawClient(node.addresses[0]) as client:
            client.send(put_request([RECORD._replace(mid=mid)]))
            if client.put_reply_or_error() != ERROR:
                fine.append(mid)

    here = backend.detect()
    for thread in [here.spawn(put, mid) for mid in range(60, 70)]:
        here.get(thread, 60)
    assert sorted(fine) == [mid for mid in range(60, 70) if mid != 66]
    assert sorted(each.mid for each in stored(node)) == sorted(fine)


def test_reading_fails_before_and_after_the_first_record(
    node: Node, client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put([RECORD._replace(payload=bytes(3 << 20)), RECORD._replace(payload=bytes(4 << 20))])
    file = type(node.store._payload_file)
    read = file.read
    with RawClient(node.addresses[0]) as other:
        reads = iter([True, False])

        def failing(self: Any, position: int, into: memoryview) -> None:
            if not next(reads):
                raise OSError("gone")
            read(self, position, into)

        monkeypatch.setattr(file, "read", failing)
        other.send(get_request())
        found = other.rest()
        assert found[:12] == bytes(12)
        assert found[-16:] == bytes(4) + ERROR
        assert len(found) == 12 + 36 + (3 << 20) + 16
    with RawClient(node.addresses[0]) as other:
        reads = iter([False])
        other.send(get_request())
        assert other.rest() == ERROR


def test_a_fault_of_ours_is_an_error_too(
    client: RawClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(store.RecordStore, "acq", failing)
    client.send(acq_request())
    assert client.rest() == ERROR
    assert "ZeroDivisionError" in caplog.text


def test_connections_that_are_cut_store_puts_whole_or_not_at_all(node: Node) -> None:
    here = backend.detect()
    for delay in range(30):
        clients = [RawClient(node.addresses[0]) for _ in range(3)]
        for number, client in enumerate(clients):
            client.send(put_request([RECORD._replace(cid=delay, mid=number)] * 50))
        here.sleep(delay / 5000)
        for session in list(node._sessions):
            session.abort()
        for client in clients:
            client.close()
    counts = Counter((each.cid, each.mid) for each in stored(node))
    assert set(counts.values()) <= {50}


@pytest.mark.needs("green", "OS threads cannot be killed")
def test_sessions_that_are_killed_store_puts_whole_or_not_at_all(node: Node) -> None:
    here = backend.detect()
    whole = put_request([RECORD._replace(payload=bytes(size)) for size in (8, 24, 25)] * 200)
    answered = 0
    for delay in range(40):
        here_end, there_end = socket.socketpair()
        session = Session(node.store, there_end, "a test", Limits())
        thread = here.spawn(session.serve)
        here_end.sendall(whole)
        here.sleep(delay / 4000)
        here.kill(thread)
        here.task(thread).outcome(60)
        answered += len(here_end.recv(28)) == 28
        here_end.close()
    assert answered < 40
    with RawClient(node.addresses[0]) as client:
        client.put([])  # what the killed sessions have queued is stored before
        counts = Counter(each.acq for each in client.get()[0])
    assert set(counts.values()) <= {600}
    assert len(counts) >= answered


@pytest.mark.parametrize("seed", range(5))
def test_streams_that_were_damaged(node: Node, seed: int) -> None:
    """They get an answer, and the store serves on."""
    chance = random.Random(seed)
    good = put_request([RECORD, RECORD._replace(payload=b"z" * 80)]) + get_request() + acq_request()
    for _ in range(20):
        bytes_ = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            bytes_[chance.randrange(len(bytes_))] = chance.randrange(256)
        with RawClient(node.addresses[0]) as client:
            client.send(bytes_)
            client.sock.shutdown(1)
            client.rest()
    with RawClient(node.addresses[0]) as client:
        client.put([RECORD._replace(cid=77)])
        assert len(client.get((77, 0, 0, 0, 0), (78, 9, 9, 9, 2**63 - 1))[0]) == 1
    assert all(isinstance(session, Session) for session in node._sessions)

"""What the store does with well-formed requests: ranges, stamps, horizons, keys that are dropped."""

from __future__ import annotations

import random
import struct
import time
from pathlib import Path

import pytest

from flowthings_like.platform.records.acquisition import now
from flowthings_like.platform.records.node import Node
from flowthings_like.platform.records.session import Session

from .raw_client import (
    END,
    ERROR,
    HIGHEST,
    I32_MAX,
    I32_MIN,
    I64_MAX,
    I64_MIN,
    LOWEST,
    Key,
    RawClient,
    Stored,
    acq_request,
    batch,
    get_request,
    header,
    put_request,
)

SIZES = (0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 64, 100, 4096, 70_000)


def record(number: int = 1, payload: bytes = b"payload!", **fields: int) -> Stored:
    known = {"cid": 1, "mid": number, "moid": 3, "cap": 4, "acq": 5, **fields}
    return Stored(**known, payload=payload)


def refused(node: Node, request: bytes) -> bool:
    """Whether a request gets an error, and the end of the connection."""
    with RawClient(node.addresses[0]) as client:
        client.send(request)
        found = client.rest()
        assert found == ERROR or len(found) > len(ERROR)
        return found == ERROR


def test_the_documents_example(client: RawClient) -> None:
    client.send(
        bytes.fromhex(
            "05000000 0000000000000000 03000000 1c000000 18000000 0100000000000000 01000000 0100000000000000"
            "07000000 ffffffff"
        )
    )
    lowest, highest = client.put_reply()
    found, acq = client.get()
    assert found == [Stored(3, 1, 1, 1, lowest, b"\7\0\0\0")]
    assert lowest == highest < acq


def test_an_empty_store(client: RawClient) -> None:
    client.send(get_request())
    reply = client.receive(36)
    assert reply[:28] == bytes(16) + struct.pack("<iQ", 0, 8)
    assert struct.unpack("<q", reply[28:])[0] <= now()


@pytest.mark.parametrize("with_acq", [False, True])
def test_an_empty_put(client: RawClient, with_acq: bool) -> None:
    before = now()
    lowest, highest = client.put([], with_acq)
    assert (lowest, highest) == (-1, -1) if with_acq else before <= lowest == highest <= now()
    assert client.get()[0] == []


def test_payloads_of_all_sizes_come_back(client: RawClient) -> None:
    sent = [record(size, random.randbytes(size)) for size in SIZES]
    client.put(sent, with_acq=True)
    for size, expected in zip(SIZES, sent, strict=True):
        client.put([record(size, random.randbytes(size), cid=size + 2)] * 3, with_acq=True)
        assert client.get((1, size, I32_MIN, 0, 0), (2, size + 1, I32_MAX, 9, 9))[0] == [expected]
        found = client.get((size + 2, I64_MIN, I32_MIN, 0, 0), (size + 3, I64_MAX, I32_MAX, 9, 9))[0]
        assert [len(each.payload) for each in found] == [size] * 3
    assert sorted(client.get((0, I64_MIN, I32_MIN, 0, 0), (2, I64_MAX, I32_MAX, 9, 9))[0]) == sorted(sent)


def test_payloads_of_different_sizes_in_one_batch(client: RawClient) -> None:
    sent = [record(number, random.randbytes(number % 150)) for number in range(1000)]
    client.send(header(6) + batch(1, sent, with_acq=True) + END)
    assert client.put_reply() == (-1, -1)
    assert sorted(client.get()[0]) == sorted(sent)


def test_the_largest_payload(client: RawClient) -> None:
    payload = random.randbytes(32 << 20)
    client.put([record(payload=payload), record(2)])
    found, _ = client.get()
    assert [each.payload for each in sorted(found)] == [payload, b"payload!"]


def test_the_same_cid_in_many_batches(client: RawClient) -> None:
    sent = [record(number, cid=number % 3) for number in range(9)]
    empty = struct.pack("<ii", 7, 0)
    request = put_request(sent, with_acq=True)
    client.send(request[:12] + empty + request[12:])
    assert client.put_reply() == (-1, -1)
    assert sorted(client.get()[0]) == sorted(sent)


def test_equal_keys_are_both_kept(client: RawClient) -> None:
    client.put([record(payload=b"a"), record(payload=b"b")], with_acq=True)
    client.put([record(payload=b"c")], with_acq=True)
    assert sorted(each.payload for each in client.get()[0]) == [b"a", b"b", b"c"]


def test_small_results_keep_the_order_of_a_put(client: RawClient) -> None:
    client.put([record(1, moid=0), record(1, moid=1)])
    assert [each.moid for each in client.get()[0]] == [0, 1]


# Ranges


@pytest.mark.parametrize("field", range(5))
def test_a_range_is_a_box_that_is_open_at_its_top(client: RawClient, field: int) -> None:
    sent = [Stored(*(number if at == field else 5 for at in range(5)), b"") for number in range(10)]  # type: ignore[misc]
    client.put(sent, with_acq=True)
    low: Key = tuple(3 if at == field else 0 for at in range(5))  # type: ignore[assignment]
    high: Key = tuple(7 if at == field else 9 for at in range(5))  # type: ignore[assignment]
    assert [each[field] for each in sorted(client.get(low, high)[0])] == [3, 4, 5, 6]


def test_a_range_is_no_interval_of_keys(client: RawClient) -> None:
    client.put([record(1, moid=9), record(2, moid=1)], with_acq=True)
    assert client.get((1, 1, 1, 0, 0), (2, 3, 5, 9, 9))[0] == [record(2, moid=1)]


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ((-1, 0, 0, 0, 0), HIGHEST),
        ((0, 0, 0, 0, 0), (-1, 1, 1, 1, 1)),
        (LOWEST, (0, *HIGHEST[1:])),
        (HIGHEST, LOWEST),
        *((LOWEST, (*HIGHEST[:field], LOWEST[field], *HIGHEST[field + 1 :])) for field in range(5)),
        ((1, 1, 1, 1, 1), (2, 2, 2, 1, 2)),
        ((0, 0, 0, 0, I64_MAX - 1), HIGHEST),
    ],
)
def test_ranges_that_get_refuses(node: Node, low: Key, high: Key) -> None:
    assert refused(node, get_request(low, high))


def test_ranges_that_only_get_refuses(client: RawClient) -> None:
    for high in ((0, *HIGHEST[1:]), (0, 0, 0, 0, I64_MAX)):
        assert 0 < client.acq((0, 0, 0, 0, 0), high) <= now()


@pytest.mark.parametrize("low", [(-1, 0, 0, 0, 0), (0, 0, 0, 0, I64_MAX - 1)])
def test_ranges_that_acq_refuses(node: Node, low: Key) -> None:
    assert refused(node, acq_request(low))
    assert refused(node, acq_request((0, 0, 0, 0, 0), (-1, 1, 1, 1, 1)))


# Stamps and the horizon


def test_stamps_are_of_the_clock_and_grow(client: RawClient) -> None:
    last = 0
    for number in range(20):
        before = now()
        lowest, highest = client.put([record(number, acq=I64_MAX)])
        assert before <= lowest <= highest < now()
        assert last < lowest
        last = highest
    assert sorted(each.acq for each in client.get()[0])[-1] == last


def test_stamps_grow_while_the_clock_goes_back(client: RawClient, monkeypatch: pytest.MonkeyPatch) -> None:
    _, last = client.put([record()])
    past = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: past)
    lowest, highest = client.put([record()])
    assert last < lowest
    found, acq = client.get()
    assert len(found) == 2
    assert acq == highest + 1


def test_stamps_grow_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(tmp_path, "127.0.0.1", 0)
    with RawClient(node.addresses[0]) as client:
        _, last = client.put([record()])
    node.close()
    past = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: past)
    node = Node(tmp_path, "127.0.0.1", 0)
    with RawClient(node.addresses[0]) as client:
        assert client.put([record()])[0] > last
        assert len(client.get()[0]) == 2
    node.close()


def test_what_was_put_is_found_at_once(client: RawClient) -> None:
    for number in range(50):
        client.put([record(number)])
        assert len(client.get()[0]) == number + 1


def test_the_time_is_a_lower_bound_and_trims_the_upper_one(client: RawClient) -> None:
    assert client.get((0, 0, 0, 0, now()), HIGHEST)[0] == []
    for limit in (15, 100, 1, -7):
        assert client.acq(LOWEST, (*HIGHEST[:4], limit)) == limit
        assert client.get(LOWEST, (*HIGHEST[:4], limit))[1] == limit
    before = now()
    assert before <= client.acq() <= now()


def test_followers_get_each_record_once(client: RawClient) -> None:
    last = client.acq()
    seen: list[int] = []
    for number in range(30):
        client.put([record(number)])
        acq = client.acq()
        seen += [each.mid for each in client.get((*LOWEST[:4], last), (*HIGHEST[:4], acq))[0]]
        last = acq
    assert seen == list(range(30))


def test_records_of_the_future_wait(client: RawClient) -> None:
    later = now() + 400_000_000
    client.put([record(1, acq=later), record(2, acq=later - 10**15)], with_acq=True)
    found, acq = client.get()
    if now() < later:
        assert [each.mid for each in found] == [2]
    assert acq <= now()
    while now() <= later:
        time.sleep(0.05)
    assert len(client.get()[0]) == 2


# Keys that are dropped


@pytest.mark.parametrize("field", range(5))
def test_keys_at_a_maximum_are_dropped(client: RawClient, field: int) -> None:
    highest = list(record(2))
    highest[field] = HIGHEST[field]
    kept = field == 4  # a PUT does not send acq
    assert client.put([record(1), Stored(*highest)]) != (-1, -1)  # type: ignore[arg-type]
    assert len(client.get()[0]) == 1 + kept
    client.put([Stored(*highest), record(3)], with_acq=True)  # type: ignore[arg-type]
    assert len(client.get()[0]) == 2 + kept
    client.put([Stored(*HIGHEST, b"x" * 99), record(4, b"y" * 5)], with_acq=True)
    assert len(client.get()[0]) == 3 + kept


def test_the_lowest_key_is_kept(client: RawClient) -> None:
    lowest = Stored(*LOWEST, b"")
    client.put([lowest], with_acq=True)
    assert client.get()[0] == [lowest]


# Many requests


def test_requests_that_come_together_are_answered_in_order(client: RawClient) -> None:
    client.send(put_request([record()]) + get_request() + acq_request() + put_request([], with_acq=True))
    lowest, _ = client.put_reply()
    assert client.receive(36 + 44)[12:56][28:36] == struct.pack("<q", lowest)
    client.receive(20)
    assert client.put_reply() == (-1, -1)


def test_a_request_in_single_bytes(client: RawClient) -> None:
    for byte in put_request([record()], with_acq=True) + get_request():
        client.send(bytes([byte]))
    assert client.put_reply() == (-1, -1)
    assert client.receive(36 + 44)


def test_many_clients_share_commits(node: Node) -> None:
    from flowthings_like.green.backends import choice as backend

    def put_and_get(first: int) -> None:
        with RawClient(node.addresses[0]) as client:
            for number in range(first, first + 10):
                lowest, highest = client.put([record(number)])
                found, _ = client.get((1, number, 0, 0, lowest), (2, number + 1, 9, 9, highest + 1))
                assert found == [record(number, acq=lowest)]

    here = backend.detect()
    for thread in [here.spawn(put_and_get, first * 100) for first in range(16)]:
        here.get(thread, 60)
    with RawClient(node.addresses[0]) as client:
        found, _ = client.get()
        assert len({each.acq for each in found}) == len(found) == 160


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each send of a session has."""
    sizes: list[int] = []
    send = Session._send

    def noting(self: Session, data: bytes | memoryview) -> None:
        sizes.append(len(data))
        send(self, data)

    monkeypatch.setattr(Session, "_send", noting)
    return sizes


def test_a_reply_that_fits_one_send_is_sent_whole(client: RawClient, sent: list[int]) -> None:
    client.put([record(1), record(2, b"x" * 100), record(3, b"")])
    client.get()
    client.acq()
    assert sent == [28, 36 + 44 + 136 + 36, 20]
    most = (64 << 10) - 36 - 36
    client.put([record(4, bytes(most), cid=4), record(5, bytes(most + 1), cid=5)])
    del sent[:]
    client.get((4, 0, 0, 0, 0), (5, 9, 9, 9, I64_MAX))
    client.get((5, 0, 0, 0, 0), (6, 9, 9, 9, I64_MAX))
    assert sent == [64 << 10, 12, 36 + most + 1, 24]


def test_the_header_of_a_long_reply_leaves_before_its_records(
    client: RawClient, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from flowthings_like.green.backends import choice as backend

    client.put([record(1, bytes(100_000))])
    waited: list[tuple[int, float]] = []
    sleep = backend.detect().sleep
    monkeypatch.setattr(
        backend.detect(), "sleep", lambda seconds: (waited.append((sent[-1], seconds)), sleep(seconds))
    )
    client.get()
    assert (12, 0.003) in waited


def test_replies_longer_than_a_page(client: RawClient) -> None:
    sent = [record(number, struct.pack("<q", number)) for number in range(150_000)]
    client.send(header(6) + batch(1, sent, with_acq=True) + END)
    client.put_reply()
    found, _ = client.get()
    assert found == sent
    assert client.get((1, 70_000, 0, 0, 0), (2, 70_002, 9, 9, 9))[0] == sent[70_000:70_002]


def test_a_get_does_not_see_what_comes_later(client: RawClient, node: Node) -> None:
    """It reads page after page; a PUTA between two of them would be seen in part."""
    sent = [record(number, bytes(200)) for number in range(100_000)]
    client.send(header(6) + batch(1, sent, with_acq=True) + END)
    client.put_reply()
    client.send(get_request())
    assert client.receive(12) == bytes(12)
    with RawClient(node.addresses[0]) as other:
        other.put([record(7, b"new"), record(7, bytes(200))], with_acq=True)
    found = list(client._records())
    assert len(found) == 100_000
    client.receive(20)
    assert len(client.get()[0]) == 100_002

"""Packages as bytes: writing them, and parsing them from pieces of any size."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from thingsdb.client.baseprotocol import Proto
from thingsdb.client.package import Package as GenuinePackage

from flowthings_like.wire.things import errors as things_errors
from flowthings_like.wire.things import packages as things
from flowthings_like.wire.things.header import HEADER, ProtocolError
from flowthings_like.wire.things.packages import EVENT_ID, Kind, Package, PackageParser, package

ids = st.integers(0, 65_535)
kinds = st.integers(0, 255)
packages = st.builds(Package, kinds, ids, st.binary(max_size=300))

SENT = [
    Package(Kind.PONG, 1, b""),
    Package(Kind.DATA, 258, b"\xa5hello"),
    Package(Kind.ROOM_EMIT, EVENT_ID, bytes(range(256))),
    Package(Kind.OK, 0, b""),
]
STREAM = b"".join(package(*sent) for sent in SENT)


def test_ping_is_the_eight_bytes_of_the_protocol() -> None:
    assert package(Kind.PING, 1) == bytes.fromhex("00000000 0100 20 df")


def test_kinds_are_those_of_the_genuine_client() -> None:
    assert {int(kind) for kind in Kind} == {int(kind) for kind in Proto}


@given(packages)
def test_the_genuine_client_reads_the_same(sent: Package) -> None:
    read = GenuinePackage(package(*sent))
    assert (read.tp, read.pid, read.length, read.checkbit) == (
        sent.kind,
        sent.id,
        len(sent.body),
        read.tp ^ 255,
    )


@given(st.lists(packages, max_size=20), st.lists(st.integers(0, 3000), max_size=10))
def test_pieces_of_any_size_give_the_same_packages(sent: list[Package], cuts: list[int]) -> None:
    stream = b"".join(package(*each) for each in sent)
    parser, read = PackageParser(), []
    for start, stop in pairwise([0, *sorted(cuts), len(stream)]):
        read += parser.feed(stream[start : max(start, stop)])
    assert read[: len(sent)] == sent
    assert parser.buffered == 0


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_every_cut(cut: int) -> None:
    parser = PackageParser()
    first = parser.feed(STREAM[:cut])
    arrived = sum(len(package(*each)) for each in first)
    headless = cut - arrived if cut - arrived < HEADER else cut - arrived - HEADER
    assert parser.buffered == headless
    assert first + parser.feed(STREAM[cut:]) == SENT


def test_byte_after_byte() -> None:
    parser, read, waiting = PackageParser(), [], 0
    for byte in STREAM:
        came = parser.feed(bytes([byte]))
        read += came
        waiting = 0 if came else waiting + 1
        assert parser.buffered == (waiting if waiting < HEADER else waiting - HEADER)
    assert read == SENT


def test_what_comes_before_a_bad_header_is_lost_with_the_stream() -> None:
    parser = PackageParser()
    broken = bytearray(STREAM)
    broken[7] ^= 1
    for stream in (bytes(broken), STREAM):
        with pytest.raises(ProtocolError, match="kind 16 with check byte 238"):
            parser.feed(stream)
    assert parser.buffered == 0


def test_a_body_at_the_bound_is_taken_and_one_byte_more_is_not() -> None:
    assert PackageParser(max_body=5).feed(package(Kind.DATA, 1, b"12345"))
    with pytest.raises(ProtocolError, match="a body of 6 bytes; at most 5"):
        PackageParser(max_body=5).feed(package(Kind.DATA, 1, b"123456")[:HEADER])


def test_a_promise_costs_nothing() -> None:
    header = package(Kind.DATA, 1)
    promise = (1 << 30).to_bytes(4, "little") + header[4:]
    tracemalloc.start()
    try:
        parser = PackageParser()
        assert parser.feed(promise + b"x" * 100) == []
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()
    assert parser.buffered == 100


def test_a_large_body_in_many_pieces_is_held_about_once() -> None:
    size, piece = 16 << 20, b"x" * 65_536
    header = size.to_bytes(4, "little") + package(Kind.DATA, 7)[4:]
    parser = PackageParser(max_body=size)
    tracemalloc.start()
    try:
        read = parser.feed(header)
        for _ in range(size // len(piece)):
            read += parser.feed(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [(each.id, len(each.body)) for each in read] == [(7, size)]
    assert peak < 1.3 * size


def test_a_request_that_no_node_takes_is_refused_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(things, "MAX_BODY", 3)
    assert len(package(Kind.QUERY, 1, b"123")) == HEADER + 3
    with pytest.raises(things_errors.ValueError, match="a request of 4 bytes"):
        package(Kind.QUERY, 1, b"1234")

"""Servers that do not keep to the protocol: a clear status, bounded memory, and no endless loop."""

from __future__ import annotations

import random
import tracemalloc
from struct import pack
from typing import Any

import pytest

from flowthings_like.records import BytesPayloadType, Channel, Key, Record, ResponseStatus, UnitPayloadType
from tests.transport.records.scripted import ACCEPTED, Session, record, records_server, reply

from .conftest import Connect

S = ResponseStatus
ALL = Key.min(), Key.max()
KEY = Key(1, 2, 3, 4, 5)
ONE = record(KEY, b"abc")
GETS = ["get", "get_stream", "get_iter"]
every_get = pytest.mark.parametrize("call", GETS)


def made(call: str, channel: Channel[Any]) -> Any:
    """The answer of one of the calls."""
    if call == "get_stream":
        return channel.get_stream(*ALL, lambda records: None)
    return channel.get(*ALL) if call == "get" else list(channel.get_iter(*ALL))[-1]


def sending(data: bytes, *, hold: bool = False) -> Any:
    def script(session: Session) -> None:
        session.request()
        session.send(data)
        if hold:
            session.request()

    return script


@every_get
@pytest.mark.parametrize("size", [-(2**31), -32, -4, -1, 1, 4, 31, 32 + (32 << 20) + 1, 2**31 - 1])
def test_sizes_of_records_that_cannot_be(call: str, size: int, connect: Connect) -> None:
    """The server keeps the connection open: the client must not wait for what the size announces."""
    channel = connect(sending(ACCEPTED + ONE + pack("<i", size) + bytes(100), hold=True))
    answer = made(call, channel)
    assert (answer.status, "record" in answer.reason) == (S.UNPARSEABLE_ENTITY, True)
    if call == "get":
        assert list(answer.data) == [Record(KEY, b"abc")]
    assert not channel.is_connected


@pytest.mark.parametrize("payload_type", [BytesPayloadType(), UnitPayloadType()], ids=repr)
def test_a_size_of_minus_four(payload_type: Any, connect: Connect) -> None:
    """TStorage's own client loops for ever."""
    channel = connect(sending(ACCEPTED + pack("<i", -4) * 10_000, hold=True), payload_type)
    assert channel.get(*ALL).status == S.UNPARSEABLE_ENTITY


@every_get
def test_a_size_that_is_only_announced_takes_no_memory(call: str, connect: Connect) -> None:
    channel = connect(sending(ACCEPTED + pack("<i", 32 << 20) + bytes(36)))
    tracemalloc.start()
    try:
        assert made(call, channel).status == S.DISCONNECTED
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("call", [*GETS, "get_acq", "put"])
@pytest.mark.parametrize("size", [1, 12, 100])
def test_an_error_with_header_data(call: str, size: int, connect: Connect) -> None:
    channel = connect(sending(pack("<iQ", -3, size) + bytes(size), hold=True))
    if call in GETS:
        answer, expected = made(call, channel), S.BAD_REQUEST
    else:
        answer = channel.get_acq(*ALL) if call == "get_acq" else channel.put([])
        expected = S.ERROR
    assert (answer.status, "-3" in answer.reason) == (expected, True)
    assert not channel.is_connected


@pytest.mark.parametrize("call", [*GETS, "get_acq", "put"])
def test_a_header_that_announces_too_much(call: str, connect: Connect) -> None:
    channel = connect(sending(pack("<iQ", 0, 2**63) + bytes(1000), hold=True))
    if call in GETS:
        answer = made(call, channel)
    else:
        answer = channel.get_acq(*ALL) if call == "get_acq" else channel.put([])
    assert answer.status == S.UNPARSEABLE_ENTITY
    assert not channel.is_connected


@every_get
def test_a_first_header_with_data(call: str, connect: Connect) -> None:
    """No server is known to send any; TStorage's own client skips it."""
    channel = connect(sending(pack("<iQ", 0, 5) + bytes(5) + reply(ONE)[12:], hold=True))
    assert made(call, channel).status == S.OK
    assert channel.is_connected


@pytest.mark.parametrize("size", [0, 4, 7])
def test_an_end_without_an_acq(size: int, connect: Connect) -> None:
    channel = connect(sending(ACCEPTED + ONE + pack("<iiQ", 0, 0, size) + bytes(size), hold=True))
    assert channel.get(*ALL).status == S.UNPARSEABLE_ENTITY


@every_get
def test_a_reply_in_pieces_of_one_byte(call: str, connect: Connect) -> None:
    whole = reply(ONE, record(KEY, b""), ONE)

    def script(session: Session) -> None:
        session.request()
        for at in range(len(whole)):
            session.send(whole[at : at + 1])
        session.request()

    channel = connect(script)
    assert made(call, channel).status == S.OK
    assert channel.is_connected


@pytest.mark.parametrize("seed", range(8))
def test_damaged_replies(seed: int) -> None:
    """Whatever comes: a status, a Record that was sent whole, and a channel that is ready or closed."""
    chosen = random.Random(seed)
    whole = reply(*(record(KEY, bytes(chosen.randrange(9))) for _ in range(20)))

    def answer(session: Session, request: bytes) -> bytes:
        damaged = bytearray(whole)
        for _ in range(chosen.randrange(4)):
            place = chosen.randrange(len(damaged))
            damaged[place] = chosen.choice([0, 1, 0x7F, 0x80, 0xFF, chosen.randrange(256)])
        return bytes(damaged[: chosen.choice([len(damaged)] * 3 + [chosen.randrange(len(damaged))])])

    with records_server(answer) as server:
        channel = Channel(server.host, server.port, BytesPayloadType(), 0.02)
        for number in range(60):
            if not channel.is_connected:
                assert channel.connect()
            try:
                found = made(GETS[number % 3], channel)
            except TimeoutError:
                assert not channel.is_connected
            else:
                assert found.status in tuple(S)
                if not found:
                    assert not channel.is_connected
        channel.close()

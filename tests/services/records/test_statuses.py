"""The status of each call in each situation, and whether the channel is usable afterwards."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from struct import pack
from typing import Any

import pytest

from flowthings_like.green.backends.choice import detect
from flowthings_like.records import (
    BytesPayloadType,
    Channel,
    ConnectionFailed,
    DeadlineExceeded,
    InvalidInput,
    Key,
    Record,
    RecordsError,
    ResponseAcq,
    ResponseStatus,
    StructPayloadType,
)
from tests.transport.records.scripted import ACCEPTED, REFUSED, Scripted, Session, end, record, reply

from .conftest import Connect
from .model import Model

S = ResponseStatus
KEY = Key(1, 2, 3, 4, 5)
ALL = Key.min(), Key.max()
PUT_REPLY = pack("<iQqq", 0, 16, 8, 9)
ONE = record(KEY, b"abc")

Call = Callable[[Channel[bytes]], Any]
GETS: dict[str, Call] = {
    "get": lambda channel: channel.get(*ALL),
    "get_stream": lambda channel: channel.get_stream(*ALL, lambda records: None),
    "get_iter": lambda channel: list(channel.get_iter(*ALL))[-1],
}
PUTS: dict[str, Call] = {
    "put": lambda channel: channel.put([Record(KEY, b"abc")]),
    "puta": lambda channel: channel.puta([Record(KEY, b"abc")]),
}
CALLS: dict[str, Call] = {**GETS, **PUTS, "get_acq": lambda channel: channel.get_acq(*ALL)}
OK_REPLIES = {
    **dict.fromkeys(GETS, reply(ONE, acq=7)),
    **dict.fromkeys(PUTS, PUT_REPLY),
    "get_acq": pack("<iQq", 0, 8, 7),
}
every_call = pytest.mark.parametrize("call", CALLS)
every_get = pytest.mark.parametrize("call", GETS)
every_put = pytest.mark.parametrize("call", PUTS)


def saying(*parts: bytes) -> Callable[[Session], None]:
    """A script that answers the first request with these, and goes on with the model after it."""

    def script(session: Session) -> None:
        if session.number == 0:
            session.request()
            for part in parts:
                session.send(part)
            return  # hangs up
        model = Model()
        while (said := model.answer(session, session.request())) is not None:
            session.send(said)

    return script


def closed_and_saying_so(channel: Channel[Any]) -> None:
    """It is closed, every call says so, and it can be connected again."""
    assert not channel.is_connected
    for call in CALLS.values():
        answer = call(channel)
        assert (answer.status, "connect()" in answer.reason) == (S.DISCONNECTED, True)
    assert channel.close().status == S.ERROR
    assert channel.connect().status == S.OK
    assert channel.get_acq(*ALL).status == S.OK


# connect and close


def test_nothing_to_connect_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    channel = Channel("127.0.0.1", port, BytesPayloadType(), 5.0)
    answer = channel.connect()
    assert (answer.status, f":{port}" in answer.reason) == (S.ERROR, True)
    with pytest.raises(ConnectionFailed), channel:
        pass
    with pytest.raises(ConnectionFailed):
        Channel("127.0.0.1", port, BytesPayloadType(), 5.0, strict=True).connect()


def test_connecting_twice(server: Scripted, channel: Channel[bytes]) -> None:
    assert channel.put([Record(KEY, b"")]).status == S.OK
    assert channel.connect().status == S.OK
    assert channel.put([Record(KEY, b"")]).status == S.OK
    assert [len(session.requests) for session in server.sessions] == [1, 1]


def test_connecting_again_where_that_is_not_possible(connect: Connect) -> None:
    channel = connect(saying(OK_REPLIES["get_acq"]))
    channel.port = 1
    assert channel.connect().status == S.ERROR
    assert not channel.is_connected


def test_closing(channel: Channel[bytes]) -> None:
    assert channel.close().status == S.OK
    assert channel.close().status == S.ERROR
    closed_and_saying_so(channel)


@every_call
def test_never_connected(call: str, server: Scripted) -> None:
    channel = Channel(server.host, server.port, BytesPayloadType())
    assert CALLS[call](channel).status == S.DISCONNECTED
    assert server.sessions == []


def test_an_iterator_of_a_channel_that_was_never_connected(server: Scripted) -> None:
    (item,) = Channel(server.host, server.port, BytesPayloadType()).get_iter(*ALL)
    assert (type(item), item.status) == (ResponseAcq, S.DISCONNECTED)


def test_repr_says_whether_it_is_connected(channel: Channel[bytes]) -> None:
    assert repr(channel) == f"<Channel to {channel.host}:{channel.port}, connected>"
    channel.close()
    assert repr(channel).endswith("closed>")


# Replies


@every_call
def test_a_reply_of_ok(call: str, connect: Connect) -> None:
    def script(session: Session) -> None:
        while session.request():
            session.send(OK_REPLIES[call])

    channel = connect(script)
    for _ in range(3):
        answer = CALLS[call](channel)
        assert (answer.status, getattr(answer, "acq", 7)) == (S.OK, 7)
    assert channel.is_connected


@every_put
@pytest.mark.parametrize("code", [-1, -5, 1, 123])
def test_a_put_that_is_refused(call: str, code: int, connect: Connect) -> None:
    channel = connect(saying(pack("<iQ", code, 0)))
    answer = CALLS[call](channel)
    assert (answer.status, str(code) in answer.reason) == (S.ERROR, True)
    closed_and_saying_so(channel)


@pytest.mark.parametrize("code", [-1, 2])
def test_an_acq_that_is_refused(code: int, connect: Connect) -> None:
    channel = connect(saying(pack("<iQ", code, 0)))
    answer = channel.get_acq(*ALL)
    assert (answer.status, answer.acq) == (S.ERROR, -1)
    closed_and_saying_so(channel)


@every_get
def test_a_get_that_is_refused_at_once(call: str, connect: Connect) -> None:
    channel = connect(saying(REFUSED))
    answer = GETS[call](channel)
    assert (answer.status, answer.acq) == (S.BAD_REQUEST, -1)
    closed_and_saying_so(channel)


@every_get
def test_a_get_that_is_refused_at_the_end(call: str, connect: Connect) -> None:
    channel = connect(saying(ACCEPTED + ONE + bytes(4) + REFUSED))
    answer = GETS[call](channel)
    assert (answer.status, answer.acq) == (S.ERROR, -1)
    if call == "get":
        assert list(answer.data) == [Record(KEY, b"abc")]
    closed_and_saying_so(channel)


@every_call
def test_an_end_without_a_reply(call: str, connect: Connect) -> None:
    channel = connect(saying())
    assert CALLS[call](channel).status == S.DISCONNECTED
    closed_and_saying_so(channel)


@every_call
def test_a_reply_that_is_cut_at_each_byte(call: str, connect: Connect) -> None:
    whole = OK_REPLIES[call]
    for size in range(len(whole)):
        channel = connect(saying(whole[:size]))
        answer = CALLS[call](channel)
        assert answer.status == S.DISCONNECTED
        if call == "get":
            assert list(answer.data) == ([Record(KEY, b"abc")] if size >= 12 + len(ONE) else [])
        assert not channel.is_connected


@every_call
def test_a_reset(call: str, connect: Connect) -> None:
    def script(session: Session) -> None:
        session.request()
        session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    channel = connect(script)
    assert CALLS[call](channel).status == S.DISCONNECTED
    assert not channel.is_connected


@every_call
def test_a_reply_with_more_behind_it(call: str, connect: Connect) -> None:
    """What was asked for has come, and the connection is out of step."""
    channel = connect(saying(OK_REPLIES[call] + b"?"))
    assert CALLS[call](channel).status == S.OK
    assert not channel.is_connected or CALLS[call](channel).status == S.DISCONNECTED


@every_call
def test_silence(call: str, connect: Connect) -> None:
    def script(session: Session) -> None:
        session.request()
        session.send(ACCEPTED[:5])
        session.request()

    channel = connect(script, timeout=0.05)
    with pytest.raises(DeadlineExceeded, match=r"0\.05 s"):
        CALLS[call](channel)
    closed_and_saying_so_is = channel.get_acq(*ALL)
    assert (channel.is_connected, closed_and_saying_so_is.status) == (False, S.DISCONNECTED)


@every_call
def test_a_server_that_has_hung_up_meanwhile(call: str, connect: Connect) -> None:
    channel = connect(saying(OK_REPLIES["get_acq"]))
    assert channel.get_acq(*ALL).status == S.OK
    detect().sleep(0.05)  # the end may arrive before the request or after it
    assert CALLS[call](channel).status == S.DISCONNECTED
    assert not channel.is_connected


# Records that cannot be read


@every_get
def test_a_payload_that_stands_for_no_value(call: str, connect: Connect) -> None:
    rows = [record(KEY, pack("<d", 1.5)), record(KEY, b"short"), record(KEY, pack("<d", 2.5))]
    channel = connect(saying(reply(*rows)), StructPayloadType("<d"))
    answer = GETS[call](channel)
    assert (answer.status, "5 bytes" in answer.reason) == (S.UNPARSEABLE_ENTITY, True)
    if call == "get":
        assert list(answer.data) == [Record(KEY, 1.5)]
    assert not channel.is_connected


@every_get
def test_payloads_of_one_size_that_stand_for_no_value(call: str, connect: Connect) -> None:
    channel = connect(saying(reply(record(KEY, b"abc"), record(KEY, b"abc"))), StructPayloadType("<d"))
    assert GETS[call](channel).status == S.UNPARSEABLE_ENTITY
    assert not channel.is_connected


@every_get
@pytest.mark.parametrize("size", [3, 4])
def test_a_negative_cid(call: str, size: int, connect: Connect) -> None:
    bad = record(Key(-2, 2, 3, 4, 5), bytes(size))
    channel = connect(saying(reply(ONE, bad, ONE)))
    answer = GETS[call](channel)
    assert (answer.status, "cid" in answer.reason) == (S.UNPARSEABLE_ENTITY, True)
    if call == "get":
        assert list(answer.data) == [Record(KEY, b"abc")]
    closed_and_saying_so(channel)


def test_records_before_one_that_cannot_be_read_are_handed_on(connect: Connect) -> None:
    def script(session: Session) -> None:
        session.request()
        session.send(reply(*[record(KEY, pack("<d", 1.5))] * 3, record(KEY, b"")))

    seen: list[Record[float]] = []
    channel = connect(script, StructPayloadType("<d"))
    assert channel.get_stream(*ALL, seen.extend).status == S.UNPARSEABLE_ENTITY
    assert seen == [Record(KEY, 1.5)] * 3
    channel.connect()
    *found, answer = channel.get_iter(*ALL)
    assert (found, answer.status) == (seen, S.UNPARSEABLE_ENTITY)


# What a caller does


def test_a_callback_that_raises(connect: Connect) -> None:
    channel = connect(saying(reply(ONE)))

    def fail(records: Any) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        channel.get_stream(*ALL, fail)
    closed_and_saying_so(channel)


def test_an_iterator_that_is_dropped(connect: Connect) -> None:
    def script(session: Session) -> None:
        while session.request():
            session.send(reply(*[record(KEY, bytes(100))] * 10_000) if session.number == 0 else reply())

    channel = connect(script)
    for _ in channel.get_iter(*ALL):
        break
    assert not channel.is_connected
    assert channel.get(*ALL).status == S.DISCONNECTED
    channel.connect()
    assert len(channel.get(*ALL).data) == 0


def test_a_call_in_the_middle_of_an_iterator(channel: Channel[bytes]) -> None:
    assert channel.put([Record(KEY, b"abc")] * 3)
    records = channel.get_iter(*ALL)
    next(records)
    for call in CALLS.values():
        with pytest.raises(RecordsError, match="another channel"):
            call(channel)
    assert channel.connect().status == S.ERROR
    assert [type(item) for item in records] == [Record, Record, ResponseAcq]
    assert channel.get_acq(*ALL).status == S.OK


def test_a_call_in_a_callback(channel: Channel[bytes]) -> None:
    assert channel.put([Record(KEY, b"abc")])
    with pytest.raises(RecordsError, match="another channel"):
        channel.get_stream(*ALL, lambda records: channel.put(records))


def test_many_threads_use_one_channel(server: Scripted, channel: Channel[bytes]) -> None:
    backend = detect()

    def work(number: int) -> list[Record[bytes]]:
        key = Key(number, 2, 3, 4)
        for each in range(5):
            assert channel.put([Record(key._replace(cap=each), b"%d" % number)])
        return list(channel.get(Key.min()._replace(cid=number), Key.max()._replace(cid=number + 1)).data)

    threads = [backend.spawn(work, number) for number in range(10)]
    for number, thread in enumerate(threads):
        found = backend.get(thread, 30)
        assert [(record.key.cid, record.value) for record in found] == [(number, b"%d" % number)] * 5
    assert len(server.sessions) == 1


def test_another_thread_closes_it(connect: Connect) -> None:
    channel = connect(lambda session: [session.request(), session.request()], timeout=None)
    call = detect().spawn(channel.get, *ALL)
    detect().sleep(0.05)
    assert channel.close().status == S.OK
    assert detect().get(call, 10).status == S.DISCONNECTED


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("host", 1, "<d"), "payload type"),
        (("host", 1, BytesPayloadType(), 0), "timeout"),
        (("host", 1, BytesPayloadType(), "5"), "timeout"),
        (("host", 1, BytesPayloadType(), None, -1), "memory_limit"),
        (("host", 1, BytesPayloadType(), None, True), "memory_limit"),
    ],
)
def test_arguments_that_cannot_be(arguments: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Channel(*arguments)


def test_options_that_are_changed(channel: Channel[bytes]) -> None:
    channel.timeout, channel.memory_limit = 3, 100
    assert (channel.timeout, channel.memory_limit) == (3.0, 100)
    with pytest.raises(InvalidInput):
        channel.timeout = -1
    with pytest.raises(InvalidInput):
        channel.memory_limit = -1


@pytest.mark.parametrize("key", [(0, 0, 0, 0, 0), None, "all"])
def test_what_is_no_key(key: Any, channel: Channel[bytes]) -> None:
    with pytest.raises(InvalidInput, match="Key"):
        channel.get(key, Key.max())


@every_get
def test_a_key_out_of_range(call: str, server: Scripted, channel: Channel[bytes]) -> None:
    with pytest.raises(InvalidInput, match="cid"):
        getattr(channel, call)(Key(2**31), Key.max(), *([print] if call == "get_stream" else []))
    assert server.requests == []


# strict


@every_call
def test_strict(call: str, connect: Connect) -> None:
    channel = connect(saying(REFUSED), strict=True)
    with pytest.raises(RecordsError) as caught:
        CALLS[call](channel)
    assert caught.value.status == (S.BAD_REQUEST if call in GETS else S.ERROR)
    with pytest.raises(ConnectionFailed):
        CALLS[call](channel)


def test_the_end_of_a_reply() -> None:
    assert end(5) == pack("<iiQq", 0, 0, 8, 5)

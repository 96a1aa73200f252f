"""Servers that do what servers may do, and some that do what they may not."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
from hyperframe.frame import DataFrame, PingFrame, RstStreamFrame, SettingsFrame

from flowthings_like.errors import ConfigurationError, ConnectionFailed, DeadlineExceeded
from flowthings_like.green.backends.choice import detect
from flowthings_like.transport.grpc import connection, connections
from flowthings_like.wire.grpc.messages import prefix
from flowthings_like.wire.grpc.status import GrpcError, StatusCode
from tests.forked import forked

from .conftest import Connect
from .scripted import OK, Session, scripted
from .test_channel import wait_until
from .test_grpcio import grpcio

ANY = "/a/B"


def answering(session: Session) -> None:
    while True:
        session.answer(session.request(), b"fine")


def test_a_call_after_goaway_is_made_again_on_a_new_connection(connect: Connect) -> None:
    def script(session: Session) -> None:
        stream = session.request()
        if session.number == 0:
            session.goaway(0)
            session.request()
        session.answer(stream, b"connection %d" % session.number)
        answering(session)

    with scripted(script) as server:
        channel = connect(server.address)
        assert channel.unary(ANY, b"") == b"connection 1"
        assert list(channel.stream(ANY, b"")) == [b"fine"]


def test_the_calls_before_goaway_finish(connect: Connect) -> None:
    go_on = detect().event()

    def script(session: Session) -> None:
        if session.number:
            answering(session)
        first, second = session.request(), session.request()
        session.goaway(first)
        go_on.wait(20)
        assert second > first
        session.answer(first, b"first connection")
        session._exactly(1 << 20)

    with scripted(script) as server:
        channel = connect(server.address)
        here = detect()
        calls = [here.spawn(channel.unary, ANY, b"") for _ in range(2)]
        wait_until(lambda: any(call.ready() for call in calls))
        assert len(server.sessions) == 2
        go_on.set()
        assert {here.get(call) for call in calls} == {b"first connection", b"fine"}


@pytest.mark.parametrize("refusals", [1, 2, 3])
def test_a_refused_call_is_made_again_a_few_times(connect: Connect, refusals: int) -> None:
    def script(session: Session) -> None:
        for _ in range(refusals):
            session.reset(session.request(), 7)
        answering(session)

    with scripted(script) as server:
        channel = connect(server.address)
        if refusals < 3:
            assert channel.unary(ANY, b"") == b"fine"
        else:
            with pytest.raises(ConnectionFailed, match="reset") as caught:
                list(channel.stream(ANY, b""))
            assert not caught.value.sent


@pytest.mark.parametrize(
    ("code", "status"), [(2, StatusCode.INTERNAL), (8, StatusCode.CANCELLED), (11, 8), (99, 13)]
)
def test_a_reset_is_a_status(connect: Connect, code: int, status: int) -> None:
    def script(session: Session) -> None:
        session.reset(session.request(), code)
        answering(session)

    with scripted(script) as server:
        channel = connect(server.address)
        with pytest.raises(GrpcError) as caught:
            channel.unary(ANY, b"")
        assert caught.value.code == status
        assert channel.unary(ANY, b"") == b"fine"
        assert len(server.sessions) == 1


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ([(":status", "503")], 14, "HTTP status 503"),
        ([(":status", "404"), ("content-type", "text/html")], 12, "HTTP status 404"),
        ([(":status", "200"), ("content-type", "text/html")], 2, "without a status"),
        ([(":status", "200"), ("content-type", "text/html"), ("grpc-status", "0")], 2, "without a status"),
    ],
)
def test_an_answer_that_is_none_of_grpc(
    connect: Connect, headers: list[tuple[str, str]], status: int, said: str
) -> None:
    def script(session: Session) -> None:
        stream = session.request()
        session.headers(stream, headers)
        session.data(stream, b"<html>", end=True)
        answering(session)

    with scripted(script) as server:
        channel = connect(server.address)
        with pytest.raises(GrpcError, match=said) as caught:
            channel.unary(ANY, b"")
        assert caught.value.code == status
        assert channel.unary(ANY, b"") == b"fine"


def ends_without_trailers(session: Session) -> None:
    stream = session.request()
    session.headers(stream)
    session.data(stream, b"\0\0\0\0\1x", end=True)


def ends_within_a_message(session: Session) -> None:
    stream = session.request()
    session.headers(stream)
    session.data(stream, b"\0\0\0\0\2x")
    session.headers(stream, [("grpc-status", "0")], end=True)


def begins_with_no_prefix(session: Session) -> None:
    stream = session.request()
    session.headers(stream)
    session.data(stream, b"\7\0\0\0\2xx")


def answers_twice(session: Session) -> None:
    session.answer(session.request(), b"one", b"two")


def answers_nothing(session: Session) -> None:
    session.answer(session.request())


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (ends_without_trailers, "ended without a status"),
        (ends_within_a_message, "ended within a message"),
        (begins_with_no_prefix, "begins with 7"),
        (answers_twice, "2 answers in the place of one"),
        (answers_nothing, "0 answers in the place of one"),
    ],
)
def test_an_answer_that_is_not_one_message(
    connect: Connect, script: Callable[[Session], None], said: str
) -> None:
    def then_well(session: Session) -> None:
        script(session)
        answering(session)

    with scripted(then_well) as server:
        channel = connect(server.address)
        with pytest.raises(GrpcError, match=f"INTERNAL.*{said}"):
            channel.unary(ANY, b"")
        assert channel.unary(ANY, b"") == b"fine"
        assert len(server.sessions) == 1


def test_a_connection_that_breaks_within_an_answer(connect: Connect) -> None:
    def script(session: Session) -> None:
        stream = session.request()
        session.headers(stream)
        session.data(stream, b"\0\0\0\0\2x")

    with scripted(script) as server:
        with pytest.raises(ConnectionFailed, match="was sent and may have run") as caught:
            connect(server.address).unary(ANY, b"")
        assert caught.value.sent


def test_a_server_that_speaks_http_1(connect: Connect) -> None:
    def script(session: Session) -> None:
        session.sock.recv(100)
        session.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        session.sock.recv(100)

    with (
        scripted(script, greets=False) as server,
        pytest.raises(ConnectionFailed, match=r"answers in HTTP/1\.x") as caught,
    ):
        connect(server.address).unary(ANY, b"")
    assert not caught.value.sent


def test_a_server_that_says_nothing(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_WITHIN", 0.2)
    with (
        scripted(lambda session: session._exactly(1 << 20), greets=False) as server,
        pytest.raises(DeadlineExceeded, match="no answer in HTTP/2 in time") as caught,
    ):
        connect(server.address).unary(ANY, b"")
    assert not caught.value.sent


def test_one_who_cannot_wait_for_the_connection(connect: Connect) -> None:
    """The attempt goes on, and serves the next."""
    go_on = detect().event()

    def script(session: Session) -> None:
        go_on.wait(20)
        session._exactly(24)
        session.settings()
        answering(session)

    with scripted(script, greets=False) as server:
        channel = connect(server.address)
        with pytest.raises(DeadlineExceeded, match="no connection in time"):
            channel.unary(ANY, b"", timeout=0.1)
        go_on.set()
        assert channel.unary(ANY, b"") == b"fine"
        assert len(server.sessions) == 1


def test_a_channel_that_is_closed_while_it_connects(connect: Connect) -> None:
    go_on = detect().event()

    def script(session: Session) -> None:
        if session.number == 0:
            go_on.wait(20)
        session._exactly(24)
        session.settings()
        answering(session)

    with scripted(script, greets=False) as server:
        channel = connect(server.address)
        here = detect()
        early = here.spawn(channel.unary, ANY, b"")
        wait_until(lambda: server.sessions)
        channel.close()
        assert channel.unary(ANY, b"") == b"fine"
        go_on.set()
        with pytest.raises(ConnectionFailed, match="the channel was closed"):
            here.get(early)


def test_calls_wait_while_the_server_takes_none(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    go_on = detect().event()

    def script(session: Session) -> None:
        session._exactly(24)
        session.settings(MAX_CONCURRENT_STREAMS=1)
        first = session.request()
        go_on.wait(20)
        assert not [frame for frame in session.frames if frame.stream_id > first]
        session.answer(first, b"first")
        answering(session)

    with scripted(script, greets=False) as server:
        channel = connect(server.address)
        here = detect()
        first = here.spawn(channel.unary, ANY, b"")
        wait_until(lambda: server.sessions and server.sessions[0].frames)
        others = [here.spawn(channel.unary, ANY, b"%d" % number) for number in range(3)]
        wait_until(lambda: channel._connections.all()[0].load == 4)
        with pytest.raises(DeadlineExceeded) as caught:
            channel.unary(ANY, b"", timeout=0.1)
        assert not caught.value.sent
        go_on.set()
        assert here.get(first) == b"first"
        assert [here.get(other) for other in others] == [b"fine"] * 3
        requests = [frame for frame in server.sessions[0].frames if "END_STREAM" in frame.flags]
        assert len(requests) == 4, "the call that was too late was never sent"


def test_a_request_waits_for_the_window_and_is_cancelled_meanwhile(connect: Connect) -> None:
    def script(session: Session) -> None:
        session._exactly(24)
        session.settings(INITIAL_WINDOW_SIZE=0)
        reset = session.until(RstStreamFrame)
        assert reset.error_code == 8
        assert not [frame for frame in session.frames if isinstance(frame, DataFrame)]
        session.settings(INITIAL_WINDOW_SIZE=10)
        stream = session.until(DataFrame).stream_id
        session.window(stream, 100)
        session.request()
        sizes = [len(frame.data) for frame in session.frames if isinstance(frame, DataFrame)]
        assert sizes == [10, 95]
        session.answer(stream, b"fine")
        session._exactly(1 << 20)

    with scripted(script, greets=False) as server:
        channel = connect(server.address)
        with pytest.raises(DeadlineExceeded):
            channel.unary(ANY, bytes(100), timeout=0.2)
        assert channel.unary(ANY, bytes(100)) == b"fine"


def test_frames_stay_within_the_servers_limit(connect: Connect) -> None:
    def script(session: Session) -> None:
        session._exactly(24)
        session.settings(MAX_FRAME_SIZE=20_000, INITIAL_WINDOW_SIZE=1 << 20)
        session.window(0, 1 << 20)
        for _ in range(2):
            session.answer(session.request(), b"fine")
        session._exactly(1 << 20)

    with scripted(script, greets=False) as server:
        channel = connect(server.address)
        assert channel.unary(ANY, b"") == b"fine"
        assert channel.unary(ANY, bytes(100_000)) == b"fine"
        sizes = [len(frame.data) for frame in server.sessions[0].frames if isinstance(frame, DataFrame)]
        assert max(sizes) == 20_000
        assert sum(sizes) == 100_010


def test_pings_are_answered(connect: Connect) -> None:
    def script(session: Session) -> None:
        stream = session.request()
        session.send(PingFrame(0, b"12345678"))
        while not session.pings:
            frame = session._read()
            if isinstance(frame, PingFrame):
                session.pings.append(frame)
        session.answer(stream, b"fine")
        session._exactly(1 << 20)

    with scripted(script) as server:
        assert connect(server.address).unary(ANY, b"") == b"fine"
        assert server.sessions[0].pings[0].opaque_data == b"12345678"
        assert "ACK" in server.sessions[0].pings[0].flags


def test_a_server_that_is_silent_is_asked_for_a_sign_of_life(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And replaced, if that does not come either."""
    monkeypatch.setattr(connection, "SILENT", 0.0)
    monkeypatch.setattr(connection, "ANSWER_WITHIN", 0.2)

    def script(session: Session) -> None:
        if session.number:
            answering(session)
        session.until(RstStreamFrame)
        while not session.pings:
            frame = session._read()
            if isinstance(frame, PingFrame):
                session.pings.append(frame)
        session._exactly(1 << 20)

    with scripted(script) as server:
        channel = connect(server.address)
        with pytest.raises(DeadlineExceeded):
            channel.unary(ANY, b"", timeout=0.1)
        wait_until(lambda: server.sessions[0].pings)
        wait_until(lambda: not channel._connections.all())
        assert channel.unary(ANY, b"") == b"fine"
        assert len(server.sessions) == 2


def too_large_a_frame(session: Session) -> None:
    session.sock.sendall((1 << 20).to_bytes(3, "big") + bytes(6))


def too_many_settings(session: Session) -> None:
    session.send(*[SettingsFrame(0)] * 200)


def no_frames(session: Session) -> None:
    session.sock.sendall(b"\0\0\1\4\0\0\0\0\0x")


def a_push(session: Session) -> None:
    session.sock.sendall(b"\0\0\4\5\4\0\0\0\1\0\0\0\2")


def a_huge_header(session: Session) -> None:
    session.headers(1, [*OK, *[(f"x{number}", "y" * 1000) for number in range(100)]])


VIOLATIONS = [too_large_a_frame, too_many_settings, no_frames, a_push, a_huge_header]


@pytest.mark.parametrize("script", VIOLATIONS, ids=lambda each: each.__name__)
def test_what_violates_the_protocol_ends_the_connection(
    connect: Connect, script: Callable[[Session], None]
) -> None:
    def violating(session: Session) -> None:
        if session.number:
            answering(session)
        session.request()
        script(session)
        session._exactly(1 << 20)

    with scripted(violating) as server:
        channel = connect(server.address)
        with pytest.raises(ConnectionFailed, match="ProtocolViolation") as caught:
            channel.unary(ANY, b"")
        assert caught.value.sent
        assert channel.unary(ANY, b"") == b"fine"


def test_damaged_answers_end_one_connection_each(connect: Connect) -> None:
    chance = random.Random(3)

    def script(session: Session) -> None:
        whole = recorded(session.request())
        for _ in range(chance.randrange(1, 4)):
            whole[chance.randrange(len(whole))] = chance.randrange(256)
        session.sock.sendall(whole)
        session._exactly(1 << 20)

    with scripted(script) as server:
        channel = connect(server.address, timeout=0.2)
        for _ in range(20):
            try:
                channel.unary(ANY, b"")
            except (ConnectionFailed, GrpcError, DeadlineExceeded):
                channel.close()


def recorded(stream: int) -> bytearray:
    """The bytes of an answer."""

    class Tape:
        def __init__(self) -> None:
            self.data = bytearray()

        def sendall(self, data: bytes) -> None:
            self.data += data

    tape = Tape()
    Session(0, tape).answer(stream, b"fine" * 20)  # type: ignore[arg-type]
    return tape.data


def test_a_stream_of_tiny_messages_does_not_hold_the_hub(connect: Connect) -> None:
    """Other green threads run in between, and the messages come in order."""

    def script(session: Session) -> None:
        stream = session.request()
        session.headers(stream)
        messages = (prefix(4) + number.to_bytes(4, "big") for number in range(20_000))
        session.send(*(DataFrame(stream, message) for message in messages))
        session.headers(stream, [("grpc-status", "0")], end=True)
        session._exactly(1 << 20)

    with scripted(script) as server:
        found = [int.from_bytes(message, "big") for message in connect(server.address).stream(ANY, b"")]
    assert found == list(range(20_000))


@pytest.mark.parametrize("trust", ["bundle", "context"])
def test_tls(connect: Connect, certificate: tuple[Path, Path], trust: str) -> None:
    with grpcio(f"tls={certificate[0]}:{certificate[1]}") as peer:
        tls: str | ssl.SSLContext = str(certificate[0])
        if trust == "context":
            tls = ssl.create_default_context(cafile=tls)
            tls.set_alpn_protocols(["h2"])
        channel = connect(peer.address, tls=tls)
        assert channel.unary("/tests.Service/Echo", bytes(300_000)) == bytes(300_000)
        assert sum(1 for _ in channel.stream("/tests.Service/Blocks", b"30 100000")) == 30
        here = detect()
        calls = [here.spawn(channel.unary, "/tests.Service/Echo", b"%d" % number) for number in range(64)]
        assert [here.get(call) for call in calls] == [b"%d" % number for number in range(64)]
        with pytest.raises(ConnectionFailed, match="certificate is not trusted") as caught:
            connect(peer.address, tls=True).unary("/tests.Service/Echo", b"")
        assert not caught.value.sent
        with pytest.raises(ConfigurationError, match="cannot be read"):
            connect(peer.address, tls="/nowhere").unary("/tests.Service/Echo", b"")


def test_tls_without_http_2(connect: Connect, certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def script(session: Session) -> None:
        with context.wrap_socket(session.sock, server_side=True) as secure:
            secure.recv(1)

    with (
        scripted(script, greets=False) as server,
        pytest.raises(ConnectionFailed, match="did not agree on HTTP/2"),
    ):
        connect(server.address, tls=str(certificate[0])).unary(ANY, b"")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_child_uses_a_connection_of_its_own(connect: Connect) -> None:
    """In another process than the server, which a fork would copy."""
    with grpcio() as peer:
        channel = connect(peer.address)
        stream = channel.stream("/tests.Service/Count", b"300")
        assert next(stream) == b"0"

        def call() -> None:
            assert channel.unary("/tests.Service/Echo", b"child") == b"child"

        in_child = forked(call)
        assert sum(1 for _ in stream) == 299
        assert in_child() == "fine"
        assert channel.unary("/tests.Service/Echo", b"parent") == b"parent"


def test_the_hub_goes_on_during_a_long_stream(connect: Connect) -> None:
    """However much there is to read and to hand over."""
    here = detect()
    if not here.is_cooperative:
        return
    with grpcio() as peer:
        channel = connect(peer.address)
        gaps: list[float] = []
        over = False

        def tick() -> None:
            last = monotonic()
            while not over:
                here.sleep(0.001)
                now = monotonic()
                gaps.append(now - last)
                last = now

        ticker = here.spawn(tick)
        total = sum(len(block) for block in channel.stream("/tests.Service/Blocks", b"2000 100000"))
        over = True
        here.get(ticker)
        assert total == 200_000_000
        assert len(gaps) > 20

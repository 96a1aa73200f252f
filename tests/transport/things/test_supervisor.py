"""Keeping a connection open: losses, silence, refusals, moves, forks and garbage collection."""

from __future__ import annotations

import gc
import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from time import monotonic, sleep
from typing import Any

import pytest

from flowthings_like import errors
from flowthings_like.green.backends.choice import detect
from flowthings_like.transport.things import supervisor
from flowthings_like.transport.things.connection import PacketConnection
from flowthings_like.transport.things.endpoints import Endpoint, parse_endpoint
from flowthings_like.transport.things.manager import ConnectionManager, ConnectionOptions
from flowthings_like.transport.things.supervisor import BACKOFF, Supervisor
from flowthings_like.wire.things import errors as things_errors
from flowthings_like.wire.things.packages import Kind, Package, package
from tests.transport.support import sockets
from tests.transport.things.scripted_node import Node, Session, echo, node, wait_until

Supervise = Callable[..., "Watched"]


class Watched:
    """A supervisor, and the calls of its callbacks."""

    def __init__(self, *urls: str, **options: Any) -> None:
        self.nodes = [parse_endpoint(url) for url in urls]
        self.greeted: list[Endpoint] = []
        self.ups: list[PacketConnection] = []
        self.downs: list[BaseException | None] = []
        self.events: list[tuple[PacketConnection, Package]] = []
        self.refusal: Exception | None = None
        options.setdefault("backoff", lambda round: 0.01)
        self.supervisor = Supervisor(
            self.endpoints,
            hello=self.hello,
            on_event=self.on_event,
            on_up=self.on_up,
            on_down=self.on_down,
            **options,
        )

    def endpoints(self) -> list[Endpoint]:
        return self.nodes

    def hello(self, connection: PacketConnection, endpoint: Endpoint, deadline: float) -> None:
        self.greeted.append(endpoint)
        if self.refusal is not None:
            raise self.refusal
        connection.pipeline([(Kind.PING, b""), (Kind.AUTH, b"")], deadline)

    def on_event(self, connection: PacketConnection, event: Package) -> None:
        self.events.append((connection, event))

    def on_up(self, connection: PacketConnection, endpoint: Endpoint) -> None:
        self.ups.append(connection)

    def on_down(self, failure: BaseException | None) -> None:
        self.downs.append(failure)

    def connection(self, within: float = 30.0, **options: Any) -> PacketConnection:
        return self.supervisor.connection(monotonic() + within, **options)

    def ask(self) -> None:
        assert self.connection().call(Kind.QUERY, b"q", monotonic() + 30).body == b"q"


@pytest.fixture
def supervise() -> Iterator[Supervise]:
    made: list[Watched] = []

    def run(*urls: str, **options: Any) -> Watched:
        made.append(Watched(*urls, **options))
        return made[-1]

    yield run
    for one in made:
        one.supervisor.close()
        assert one.supervisor.wait_closed(10)


@pytest.fixture
def nobody() -> Iterator[str]:
    """The URL of a port that is reserved, and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"things://127.0.0.1:{taken.getsockname()[1]}"


def test_it_connects_when_it_is_asked(supervise: Supervise) -> None:
    with node() as found:
        one = supervise(found.url)
        assert (one.supervisor.current, one.supervisor.endpoint) == (None, None)
        one.ask()
        assert one.supervisor.current is one.connection()
        assert str(one.supervisor.endpoint) == found.url
        assert (len(one.ups), one.downs) == (1, [])
        assert len(found.sessions) == 1


def test_many_wait_for_one_connection(supervise: Supervise) -> None:
    with node() as found:
        one = supervise(found.url)
        pool = detect().pool(20)
        for thread in [pool.spawn(one.ask) for _ in range(20)]:
            thread.get()
        assert len(found.sessions) == 1


def test_of_two_who_start_it_at_once_one_does(supervise: Supervise, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[ConnectionManager] = []

    def make(options: ConnectionOptions) -> ConnectionManager:
        own = ConnectionManager(options)
        made.append(own)
        if len(made) == 1:
            one.supervisor.start()  # another thread comes first
        return own

    monkeypatch.setattr(supervisor, "ConnectionManager", make)
    with node() as found:
        one = supervise(found.url)
        one.ask()
        assert one.supervisor._manager is made[1]
        assert len(made) == 2
        assert len(one.greeted) == len(found.sessions) == 1


def test_whoever_starts_it_hears_of_the_first_failure(
    supervise: Supervise, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However soon it comes: the next attempt may be a minute away."""
    spawn = detect().spawn

    def run_first(function: Callable[..., object], *args: Any) -> Any:
        thread = spawn(function, *args)
        manager = one.supervisor._manager
        until = monotonic() + 0.1  # time enough for an attempt, were one made
        while manager is not None and manager.failed_rounds == 0 and monotonic() < until:
            sleep(0.002)
        return thread

    one = supervise(nobody, backoff=lambda round: 60.0)
    monkeypatch.setattr(detect(), "spawn", run_first)
    with pytest.raises(errors.ConnectionFailed, match="no node answers"):
        one.connection(patient=False)


def test_a_loss_is_made_good_without_anybody_asking(supervise: Supervise) -> None:
    with node() as found:
        one = supervise(found.url)
        one.supervisor.start()
        for number in range(1, 5):
            wait_until(lambda expected=number: len(one.ups) == expected)  # type: ignore[misc]
            found.session().end()
            wait_until(lambda expected=number: len(one.downs) == expected)  # type: ignore[misc]
        one.ask()
        assert all(isinstance(failure, OSError) for failure in one.downs)


def test_without_reconnect_only_when_asked(supervise: Supervise) -> None:
    with node() as found:
        one = supervise(found.url, reconnect=False)
        one.ask()
        found.end()
        wait_until(lambda: len(one.downs) == 1)
        assert one.supervisor.current is None
        assert len(found.sessions) == 1
        one.ask()
        assert len(found.sessions) == 2


def test_the_next_node_takes_over(supervise: Supervise, nobody: str) -> None:
    with node() as second:
        with node() as first:
            one = supervise(first.url, nobody, second.url)
            seen = set()
            while len(seen) < 2:
                one.ask()
                seen.add(str(one.supervisor.endpoint))
                one.connection().close()
        one.ask()
        assert str(one.supervisor.endpoint) == second.url


def test_nodes_are_asked_for_before_each_attempt(supervise: Supervise, nobody: str) -> None:
    with node() as found:
        one = supervise(nobody)
        with pytest.raises(errors.ConnectionFailed):
            one.connection(patient=False)
        one.nodes = [parse_endpoint(found.url)]
        one.ask()


def test_no_live_node(supervise: Supervise, nobody: str) -> None:
    one = supervise(nobody, nobody)
    with pytest.raises(errors.ConnectionFailed, match="no node answers") as caught:
        one.connection(patient=False)
    assert caught.value.sent is False
    began = monotonic()
    with pytest.raises(errors.DeadlineExceeded, match=r"no connection in time.*Connection refused") as late:
        one.connection(0.2)
    assert late.value.sent is False
    assert 0.1 < monotonic() - began < 20


def test_a_mute_node_does_not_hold_up_the_others(supervise: Supervise) -> None:
    """A node that shuts down: the kernel still accepts connections, and nobody reads."""
    with socket.create_server(("127.0.0.1", 0)) as listener, node() as found:
        mute = f"things://127.0.0.1:{listener.getsockname()[1]}"
        one = supervise(mute, found.url, connect_within=1.0)
        for _ in range(2):
            one.ask()
            assert str(one.supervisor.endpoint) == found.url
            one.connection().close()
        wait_until(lambda: one.supervisor.current is not None)
        assert str(one.greeted[0]) == mute or len(one.greeted) > 2


def test_wrong_credentials_are_not_tried_for_ever(supervise: Supervise) -> None:
    with node() as found:
        one = supervise(found.url)
        one.refusal = things_errors.AuthError("no such user")
        caught = []
        for _ in range(3):
            with pytest.raises(things_errors.AuthError, match="no such user") as refused:
                one.connection()
            caught.append(refused.value)
        assert len(set(map(id, caught))) == 3
        wait_until(lambda: not found.open())
        another = supervise(found.url)
        for _ in range(20):  # time enough for more attempts, were any made
            another.ask()
            another.connection().close()
        assert len(one.greeted) == 3  # once for each who asked
        one.refusal = None
        one.ask()


def test_any_other_failure_of_hello_is_tried_again(
    supervise: Supervise, caplog: pytest.LogCaptureFixture
) -> None:
    with node() as found:
        one = supervise(found.url)
        one.refusal = RuntimeError("a bug")
        with pytest.raises(errors.ConnectionFailed, match="a bug"):
            one.connection(patient=False)
        assert "unforeseen" in caplog.text
        one.refusal = None
        one.ask()


def test_callers_do_not_shorten_the_pause(supervise: Supervise) -> None:
    rounds: list[int] = []

    def pause(round: int) -> float:
        rounds.append(round)
        return 60.0

    with node() as found:
        one = supervise(found.url, backoff=pause)
        one.refusal = ConnectionError("not now")
        with pytest.raises(errors.ConnectionFailed, match="not now"):
            one.connection(patient=False)
        wait_until(lambda: not found.open())
        for _ in range(10):
            with pytest.raises(errors.DeadlineExceeded):
                one.connection(0.01)
        assert (len(one.greeted), rounds) == (1, [1])


def test_nodes_that_cannot_be_asked_for(supervise: Supervise, caplog: pytest.LogCaptureFixture) -> None:
    one = supervise()
    with pytest.raises(errors.ConfigurationError, match="no node to connect to"):
        one.connection()
    one.nodes = None  # type: ignore[assignment]
    with pytest.raises(errors.ConnectionFailed, match="NoneType"):
        one.connection(patient=False)
    with node() as found:
        one.nodes = [parse_endpoint(found.url)]
        one.ask()


def test_silence_is_noticed(supervise: Supervise) -> None:
    """A dead connection: the node answers nothing, and does not close it."""
    with node() as found:
        one = supervise(found.url, keepalive=0.05, answer_within=0.1, connect_within=0.3)
        one.ask()
        first = one.connection()
        found.answer = lambda session, request: None
        calling = detect().spawn(first.call, Kind.QUERY, b"")
        wait_until(lambda: first.closed)
        with pytest.raises(errors.ConnectionFailed, match="may have run"):
            detect().get(calling, 10)
        found.answer = echo
        one.ask()
        assert one.connection() is not first


def test_a_slow_transfer_is_a_sign_of_life(supervise: Supervise) -> None:
    """Pings wait behind a large request, or behind a large answer."""

    def slow(session: Session, request: Package) -> bytes | None:
        said = echo(session, request)
        if request.body != b"slow" or said is None:
            return said
        for byte in said:
            session.below.sendall(bytes([byte]))
            sleep(0.2)
        return None

    with node(slow) as found:
        one = supervise(found.url, keepalive=0.05, answer_within=1.5)
        one.ask()
        connection = one.connection()
        assert connection.call(Kind.QUERY, b"slow", monotonic() + 20).body == b"slow"
        found.session().below.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        found.pace = 0.03
        body = b"x" * 5_000_000
        assert connection.call(Kind.QUERY, body, monotonic() + 30).body == body
        assert one.downs == []


def test_signs_of_life_are_asked_for_in_silence_only(supervise: Supervise) -> None:
    with node() as found:
        one = supervise(found.url, keepalive=0.05)
        one.ask()
        session = found.session()
        wait_until(lambda: [request.kind for request in session.requests].count(Kind.PING) > 3)
        assert not one.downs
        busy = supervise(found.url, keepalive=30.0)
        for _ in range(20):
            busy.ask()
        pings = [request for request in found.sessions[-1].requests if request.kind == Kind.PING]
        assert len(pings) == 1  # hello's


def test_defaults_notice_a_dead_connection_in_forty_seconds() -> None:
    one = Watched("things://h")
    options = one.supervisor._options
    assert options.keepalive + options.answer_within <= 40
    assert BACKOFF.pause(0) == 0
    for number, most in ((1, 1), (2, 2), (6, 32), (7, 60), (1000, 60)):
        pauses = [BACKOFF.pause(number) for _ in range(300)]
        assert 0 <= min(pauses) < most * 0.1
        assert most * 0.9 < max(pauses) <= most


def test_move_connects_before_it_lets_go(supervise: Supervise) -> None:
    holding: list[Package] = []

    def hold_x(session: Session, request: Package) -> bytes | None:
        if request.body == b"x":
            holding.append(request)
            return None
        return echo(session, request)

    with node(hold_x) as first, node(hold_x) as second:
        one = supervise(first.url, second.url)
        old = one.connection()
        calling = detect().spawn(old.call, Kind.QUERY, b"x", monotonic() + 20)
        wait_until(lambda: len(holding) == 1)
        one.supervisor.move()
        wait_until(lambda: len(one.ups) == 2)
        assert one.connection() is one.ups[1]
        assert not old.closed
        assert one.downs == []
        busy = next(session for session in first.sessions + second.sessions if holding[0] in session.requests)
        busy.send(package(Kind.DATA, holding[0].id, b"done"))
        assert detect().get(calling, 10).body == b"done"
        wait_until(lambda: old.closed)
        one.ask()
        assert one.downs == []


def test_move_with_nowhere_to_go_keeps_what_there_is(supervise: Supervise, nobody: str) -> None:
    with node() as found:
        one = supervise(found.url, nobody)
        connection = one.connection()
        one.nodes = [parse_endpoint(nobody)]
        attempts = one.supervisor._manager
        assert attempts is not None
        one.supervisor.move()
        wait_until(lambda: attempts.failed_rounds > 0)
        assert one.connection() is connection
        one.ask()


def test_events_come_with_their_connection(supervise: Supervise) -> None:
    with node() as found:
        one = supervise(found.url)
        one.ask()
        found.session().event(Kind.NODE_STATUS, b"s")
        wait_until(lambda: len(one.events) == 1)
        assert one.events == [(one.connection(), (Kind.NODE_STATUS, 65_535, b"s"))]


def test_close_is_for_good(supervise: Supervise) -> None:
    with node() as found:
        one = supervise(found.url)
        connection = one.connection()
        one.supervisor.close()
        one.supervisor.close()
        assert one.supervisor.wait_closed(10)
        assert connection.closed
        assert one.downs == []
        with pytest.raises(errors.ConfigurationError, match="was closed"):
            one.connection()
        assert len(found.sessions) == 1
        wait_until(lambda: not found.open())


def test_close_frees_those_who_wait(supervise: Supervise, nobody: str) -> None:
    one = supervise(nobody, backoff=lambda round: 60.0)
    waiting = detect().spawn(one.connection, 60.0)
    wait_until(lambda: one.supervisor._manager is not None and bool(one.supervisor._manager._waiters))
    one.supervisor.close()
    with pytest.raises(errors.ConnectionFailed, match="was closed"):
        detect().get(waiting, 10)


def test_a_forgotten_one_ends(supervise: Supervise) -> None:
    with node() as found:
        before, threads = sockets(), threading.active_count()
        one = Watched(found.url)
        one.ask()
        gone = weakref.ref(one)
        manager = one.supervisor._manager
        assert manager is not None
        del one
        wait_until(lambda: gc.collect() >= 0 and gone() is None)
        assert manager.ended.wait(30)
        wait_until(lambda: not found.open())
        wait_until(lambda: sockets() <= before)
        wait_until(lambda: threading.active_count() <= threads)


@pytest.mark.parametrize("refusal", [things_errors.AuthError("no"), errors.ConnectionFailed("no"), None])
def test_a_forgotten_one_ends_whatever_its_last_attempt_failed_of(refusal: Exception | None) -> None:
    """The frames of the failure refer to variables, and so to the supervisor's owner."""

    def hang_up(session: Session, request: Package) -> None:
        session.end()

    with node(hang_up) as found:
        one = Watched(found.url, backoff=lambda round: 60.0)
        one.refusal = refusal
        with pytest.raises(errors.FlowThingsError):
            one.connection(patient=False)
        gone = weakref.ref(one)
        manager = one.supervisor._manager
        assert manager is not None
        del one
        wait_until(lambda: gc.collect() >= 0 and gone() is None)
        assert manager.ended.wait(30)


def reconnect_often(one: Watched, found: Node, times: int) -> None:
    for _ in range(times):
        one.ask()
        one.connection().close()
    one.ask()
    wait_until(lambda: len(found.open()) == 1)


def test_reconnects_leave_nothing_behind(supervise: Supervise) -> None:
    with node() as found:
        one = supervise(found.url, backoff=lambda round: 0.0)
        reconnect_often(one, found, 20)
        before, threads = sockets(), threading.active_count()
        reconnect_often(one, found, 100)
        wait_until(lambda: sockets() <= before)
        wait_until(lambda: threading.active_count() <= threads)


@pytest.mark.exhaustive
def test_thousands_of_reconnects_leave_nothing_behind(supervise: Supervise) -> None:
    with node() as found:

        def objects() -> int:
            """Both ends of the connections to this node; other tests may have left some of theirs."""
            gc.collect()
            # Not isinstance: it asks proxies of other libraries for what they stand for.
            ends = [
                thing for thing in gc.get_objects() if issubclass(type(thing), PacketConnection | Session)
            ]
            return sum(
                end.node is found if isinstance(end, Session) else end.peer == found.address for end in ends
            )

        one = supervise(found.url, backoff=lambda round: 0.0)
        reconnect_often(one, found, 500)
        before, threads = sockets(), threading.active_count()
        for _ in range(6):
            reconnect_often(one, found, 500)
            del found.sessions[:-1], one.ups[:-1], one.greeted[:], one.downs[:]
        wait_until(lambda: sockets() <= before)
        wait_until(lambda: threading.active_count() <= threads)
        wait_until(lambda: objects() < 20)


def test_a_forked_child_begins_anew(supervise: Supervise) -> None:
    with node() as found:
        one = supervise(found.url)
        one.ask()
        inherited = one.connection()
        told, tell = os.pipe()
        if not (child := os.fork()):
            outcome = b"failed"
            try:
                assert inherited.closed
                assert one.supervisor.current is None
                one.ask()
                outcome = b"fine"
            finally:
                os.write(tell, outcome)
                os._exit(0)
        os.close(tell)
        try:
            assert detect().native(os.read, told, 10) == b"fine"
        finally:
            os.close(told)
            os.waitpid(child, 0)
        for _ in range(3):
            one.ask()
        assert one.connection() is inherited
        assert not one.downs

"""Calls of a client: which arguments are refused, which requests are repeated, and who gets an error."""

from __future__ import annotations

import pickle
import time
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from ssl import create_default_context
from typing import Any

import pytest

from flowthings_like import (
    API,
    Client,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    InvalidInput,
    InvalidResponse,
    Token,
    WrongThread,
    force,
    set_package_fail_file,
)
from flowthings_like.green.backends.choice import detect
from flowthings_like.services.things.arguments import endpoint_at
from flowthings_like.wire.things import errors as things_errors
from flowthings_like.wire.things.packages import Kind, Package, package
from flowthings_like.wire.things.values import pack, unpack
from tests.transport.support import sockets

from ...transport.things.scripted_node import Node, Session, node, wait_until
from .support import USER, Heard, Script, url

# Coming in


def test_a_wrong_password_is_raised_at_once(played: Node) -> None:
    client = Client()
    with pytest.raises(things_errors.AuthError, match="who are you"):
        client.connect_pool([played.url], "ada", "wrong")
    assert not client.is_connected()
    client.connect(played.url)  # as if nothing had been
    with pytest.raises(things_errors.AuthError):
        client.authenticate("ada", "wrong")
    client.authenticate(USER)
    assert client.query("1") == "1"
    client.close_and_wait()


def test_that_no_node_answers_is_raised_within_the_timeout() -> None:
    with pytest.raises(DeadlineExceeded, match=r"things://127.0.0.1:1: ConnectionRefusedError"):
        Client().connect_pool([("127.0.0.1", 1)], *USER, timeout=2)
    began = time.monotonic()
    with pytest.raises(ConnectionFailed, match="no node answers"):
        Client().connect("127.0.0.1", 1)
    assert time.monotonic() - began < 20


def test_a_node_that_does_not_answer_is_given_up_in_time(script: Script, played: Node) -> None:
    script.mute.add(Kind.PING)  # one that shuts down still takes connections
    with pytest.raises(DeadlineExceeded):
        Client().connect(played.url, timeout=0.2)


def test_credentials_may_be_in_the_url_only(played: Node) -> None:
    client = Client()
    client.connect(url(played))
    assert client.query("1") == "1"
    with pytest.raises(ConfigurationError, match="close"):
        client.connect(played.url)
    client.close_and_wait()
    with pytest.raises(ConnectionFailed) as caught:
        client.connect(url(played, password="not the one").replace(played.address, "127.0.0.1:1"))
    assert "not the one" not in repr(caught.value) + repr(caught.value.__cause__)


def test_its_repr_has_the_address_and_no_credentials(played: Node) -> None:
    client = Client()
    assert repr(client) == "<Client of ThingsDB: disconnected>"
    client.connect(url(played))
    assert repr(client) == f"<Client of ThingsDB: {played.address}>"
    client.close_and_wait()


def test_a_closed_client_does_not_reconnect(client: Client, played: Node) -> None:
    client.query("1")
    client.close_and_wait()
    with pytest.raises(ConnectionFailed, match="closed") as caught:
        client.query("1")
    assert caught.value.sent is False
    assert not client.is_connected()
    assert len(played.sessions) == 1
    client.connect_pool([played.url], *USER)  # unless one asks for it
    assert client.query("1") == "1"


def test_without_auto_reconnect_a_lost_connection_stays_lost(played: Node) -> None:
    client = Client(auto_reconnect=False)
    client.connect_pool([played.url], *USER)
    played.end()
    wait_until(lambda: not client.is_connected())
    with pytest.raises(ConnectionFailed, match="reconnect"):
        client.query("1")
    client.reconnect()
    assert client.query("1") == "1"
    client.close_and_wait()


def test_ssl_verifies(script: Script, certificate: tuple[Path, Path]) -> None:
    with node(script, tls=certificate) as played:
        port = int(played.address.rpartition(":")[2])
        with pytest.raises(ConnectionFailed, match="certificate"):
            Client(ssl=True).connect("127.0.0.1", port)
        for ssl in (str(certificate[0]), create_default_context(cafile=certificate[0])):
            client = Client(ssl=ssl)
            client.connect_pool([("127.0.0.1", port)], *USER)
            assert client.query("1") == "1"
            client.close_and_wait()
    with pytest.raises(InvalidInput, match="nothing is encrypted"):
        Client(ssl=True).connect("unix:///run/none")


def test_the_scheme_that_ssl_chooses() -> None:
    for host, scheme in (("h", "tls"), ("things://h", "tls"), ("ws://h", "wss"), ("wss://h", "wss")):
        assert endpoint_at(host, encrypted=True).scheme == scheme
    assert endpoint_at("h", 9400).address == "h:9400"


# What is refused before anything is sent


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda c: c.query(1), "code must be a str"),
        (lambda c: c.query("1", scope="stuff"), "invalid scope"),
        (lambda c: c.query("1", scope=7), "scope must be a str"),
        (lambda c: c.query("1", timeout=-1), "timeout is -1"),
        (lambda c: c.query("1", timeout=True), "timeout is True"),
        (lambda c: c.query("1", variables={"a b": 1}), "'a b'"),
        (lambda c: c.query("1", variables=[1]), "mapping"),
        (lambda c: c.query("1", x=datetime.now(timezone.utc)), "isoformat"),
        (lambda c: c.query("1", x=2**63), "64 bits"),
        (lambda c: c.query("1", x={1, 2}), "set"),
        (lambda c: c.run("", 1), "procedure"),
        (lambda c: c.run("p", 1, x=1), "in order or by name"),
        (lambda c: c.set_default_scope("stuff"), "invalid scope"),
        (lambda c: c.authenticate("a", "b", "c"), "token"),
        (lambda c: c.authenticate(("a",)), "token"),
        (lambda c: c.authenticate(None), "token"),
        (lambda c: c.set_log_level("LOUD"), "DEBUG"),
        (lambda c: c.new_token("ada", expiration_time=7), "datetime"),
    ],
)
def test_bad_input(client: Client, script: Script, call: Any, said: str) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError), match=said):
        call(client)
    assert script.asked == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: Client(loop=object()),  # type: ignore[arg-type]
        lambda: Client(timeout=-1),
        lambda: Client().connect("host", 0),
        lambda: Client().connect("host", "9200"),  # type: ignore[arg-type]
        lambda: Client().connect("ftp://host"),
        lambda: Client().connect("user:password@host"),
        lambda: Client().connect_pool([], "token"),
        lambda: Client().connect_pool("host", "token"),
        lambda: Client().connect_pool(7, "token"),  # type: ignore[arg-type]
        lambda: Client().connect_pool([7], "token"),  # type: ignore[list-item]
        lambda: Client().connect_pool([("host", 9200, "user")], "token"),  # type: ignore[list-item]
        lambda: Client().connect_pool(["host"]),
        lambda: API(Token("a", "b"), things="host:9200").things,
    ],
)
def test_invalid_arguments_of_a_client(make: Any) -> None:
    with pytest.raises((InvalidInput, ConfigurationError)):
        make()


def test_there_is_no_event_loop() -> None:
    with pytest.raises(ConfigurationError, match="no event loop"):
        Client().get_event_loop()


# What is sent


def test_variables_may_be_called_like_arguments(client: Client) -> None:
    names = {"code": 1, "scope": 2, "timeout": 3, "idempotent": 4, "variables": 5, "self": 6}
    assert client.query("x", variables=names, more=7) == {**names, "more": 7}


def test_code_is_stripped_unless_told_otherwise(client: Client) -> None:
    assert client.query("  //ti\n  1;  ") == "1;"
    assert client.query(" 1; ", skip_strip_code=True) == " 1; "


def test_restart_module_asks_the_node(client: Client, script: Script) -> None:
    client.restart_module("mail")
    client.restart_module("mail", scope="@n:3")
    assert [body[0] for _, body in script.asked] == ["@n", "@n:3"]


def test_raw_answers(client: Client) -> None:
    raw = client.query_raw("x", a=[1, 2])
    assert isinstance(raw, bytes)
    assert unpack(raw) == {"a": [1, 2]}


def test_lazy_and_queued_calls(client: Client, script: Script, api: API) -> None:
    lazy = api.lazy()
    one = lazy.things.query("1 + 1;")
    two = lazy.things.query("a + b;", a=one, b=one)  # thunks may go into a query
    assert two == 4
    assert client.query("x", a=one, b=[two]) == {"a": 2, "b": [4]}
    calls = api.async_()
    for number in range(20):
        calls.things.query("n * n;", n=number)
    assert calls.results() == [number * number for number in range(20)]
    assert lazy.things.get_default_scope() == "//stuff"
    assert force(lazy.things.has_user("acme")) is True


def test_calls_of_many_threads_get_their_own_answers(client: Client) -> None:
    pool = detect().pool(32)
    calls = [pool.spawn(client.query, "x", n=number) for number in range(500)]
    assert [call.get(timeout=20)["n"] for call in calls] == list(range(500))


def test_plain_calls_work_in_any_os_thread(client: Client, script: Script, played: Node) -> None:
    """While calls in the hub's own thread use the client's connection. Nothing is left open."""
    backend = detect()
    client.query("first")
    before = sockets()

    def elsewhere(number: int) -> Any:
        return backend.native(client.query, "x", None, 30, False, False, {"n": number})

    pool = backend.pool(16)
    calls = [
        pool.spawn(elsewhere if number % 3 else partial(client.query, "x", timeout=30), number=number)
        for number in range(120)
    ]
    got = [call.get() for call in calls]
    assert [answer.get("n", answer.get("number")) for answer in got] == list(range(120))
    assert force(backend.native(lambda: force(client.lazy().query("lazy")))) == "lazy"
    assert backend.native(client.run, "add", 1) == ["@t", "add", [1]]
    assert sum(kind == Kind.QUERY for kind, _ in script.asked) == 122
    wait_until(lambda: sockets() <= before)
    wait_until(lambda: len(played.open()) == 1)


def test_what_belongs_to_one_connection_is_refused_in_another_os_thread(
    client: Client, script: Script
) -> None:
    """Because a room's events come over the connection that joined it."""
    backend = detect()
    room = Heard(7)
    room.join(client, wait=30)
    backend.native(room.emit, "msg", 1)
    room.expect("init", "join", 1)
    if not backend.is_cooperative:
        return
    asked = len(script.asked)
    with pytest.raises(WrongThread, match="client of its own"):
        backend.native(partial(room.emit, "msg", 2, peers_only=True))
    with pytest.raises(WrongThread):
        backend.native(Heard(8).join, client)
    with pytest.raises(WrongThread):
        backend.native(room.leave)
    assert len(script.asked) == asked
    room.leave(timeout=30)
    room.join(client, wait=30)


def test_a_large_result_over_a_websocket(things: Client) -> None:
    host, port, user, password = things.address()
    client = Client()
    client.connect(f"ws://{user}:{password}@{host}:{port}")
    blob = b"x" * (8 << 20)
    assert client.query("blob;", "//stuff", blob=blob) == blob
    client.close_and_wait()


# What goes wrong


def test_a_result_that_does_not_decode_fails_alone(client: Client, script: Script, tmp_path: Path) -> None:
    bad, keys = b"\xa2\xff\xfe", pack({1: 2})
    script.queries = lambda code, variables: {"bad": bad, "keys": keys}.get(code, code)
    kept = tmp_path / "kept.mp"
    set_package_fail_file(str(kept))
    try:
        pool = detect().pool(8)
        calls = {code: pool.spawn(client.query, code) for code in ("a", "bad", "keys", "b")}
        with pytest.raises(InvalidResponse, match=r"kept\.mp"):
            calls["bad"].get(timeout=20)
        assert [calls[code].get(timeout=20) for code in ("a", "keys", "b")] == ["a", {1: 2}, "b"]
    finally:
        set_package_fail_file()
    assert kept.read_bytes() == bad


def test_errors_have_their_names(client: Client, script: Script) -> None:
    script.queries = lambda code, variables: (int(code), "so it is")
    for code, expected in ((-54, LookupError), (-58, ZeroDivisionError), (-55, things_errors.ForbiddenError)):
        with pytest.raises(expected, match="so it is") as caught:
            client.query(str(code))
        assert pickle.loads(pickle.dumps(caught.value)).error_code == code
    with pytest.raises(things_errors.CustomError) as custom:
        client.query("-101")
    assert custom.value.error_code == -101
    with pytest.raises(things_errors.AuthError):  # a revoked login is not asked for ever
        client.query("-56")
    assert script.count(Kind.QUERY) == 5


def test_a_node_that_cannot_serve_is_asked_again(client: Client, script: Script) -> None:
    script.queries = lambda code, variables: code if script.count(Kind.QUERY) > 2 else (-51, "away")
    assert client.query("x", timeout=30) == "x"
    assert script.count(Kind.QUERY) == 3
    script.queries = lambda code, variables: (-51, "away")
    with pytest.raises((things_errors.NodeError, DeadlineExceeded)):
        client.query("x", timeout=0.2)


def test_a_request_that_may_have_run_is_not_repeated(client: Client, script: Script, played: Node) -> None:
    def cut_once(code: str, variables: Any) -> Any:
        if script.count(Kind.QUERY) == 1:
            played.end()
        return code

    script.queries = cut_once
    with pytest.raises(ConnectionFailed, match="may have run") as caught:
        client.query("x", timeout=30)
    assert caught.value.sent is True
    assert script.count(Kind.QUERY) == 1
    script.asked.clear()
    assert client.query("x", timeout=30, idempotent=True) == "x"
    assert script.count(Kind.QUERY) == 2


def test_the_deadline_runs_while_there_is_no_connection(script: Script) -> None:
    with node(script) as played:
        client = Client()
        client.connect_pool([played.url], *USER)
    wait_until(lambda: not client.is_connected())
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        client.query("x", timeout=0.3)
    assert time.monotonic() - began < 20
    assert caught.value.sent is False
    client.close_and_wait()


def test_a_late_answer_does_not_disturb_the_next(client: Client, script: Script) -> None:
    gate = detect().event()
    late: list[Any] = []

    def slow(code: str, variables: Any) -> Any:
        if code == "slow":
            late.append(gate.wait(30))
        return code

    script.queries = slow
    with pytest.raises(DeadlineExceeded):
        client.query("slow", timeout=1)
    gate.set()
    for number in range(50):
        assert client.query(f"q{number}", timeout=30) == f"q{number}"
    assert late == [True]


def test_a_killed_caller_does_not_disturb_the_next(client: Client, script: Script) -> None:
    backend = detect()
    script.mute.add(Kind.RUN)
    caller = backend.spawn(client.run, "never")
    wait_until(lambda: script.count(Kind.RUN) == 1)
    backend.kill(caller)
    assert client.query("next", timeout=30) == "next"


# The API's own client


def test_an_api_without_a_node_says_what_to_write() -> None:
    api = API(Token("a", "b"))
    with pytest.raises(ConfigurationError, match="FLOWTHINGS_THINGS"):
        api.things.query("1")
    api.close()


def test_an_api_authenticates_with_its_own_token(script: Script, played: Node) -> None:
    script.accept = [["ada", "s3cret"]]
    with API(Token("ada", "s3cret"), things=played.url, timeout=30) as api:
        assert api.things.query("1") == "1"
        assert api.things.address() == ("127.0.0.1", int(played.address.rpartition(":")[2]), "ada", "s3cret")
        assert "s3cret" not in repr(api.things)
    with pytest.raises(ConnectionFailed, match="closed"):
        api.things.query("1")


def test_an_api_takes_the_node_from_where_it_is_set(
    played: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLOWTHINGS_THINGS", url(played))
    monkeypatch.setenv("FLOWTHINGS_CREDENTIALS", str(tmp_path / "none"))
    with API.connect(account="a", token="b") as api:
        assert api.things.query("1") == "1"


def test_nothing_is_connected_before_the_first_call(played: Node) -> None:
    api = API(Token("ada", "b"), things=played.url)
    assert not api.things.is_connected()
    assert api.things.connection_info() == "disconnected"
    assert played.sessions == []
    api.close()


@pytest.mark.parametrize("kind", [16, 20, 31, 200])
def test_an_answer_of_an_unknown_kind_raises(client: Client, script: Script, played: Node, kind: int) -> None:
    """It raises, whatever the request was."""

    def strange(session: Session, request: Package) -> bytes | None:
        if request.kind == Kind.PING:
            return script(session, request)
        return package(kind, request.id, pack("x"))

    played.answer = strange
    lazy = client.lazy()
    for ask in (
        lambda: client.query("1"),
        lambda: client.query_raw("1"),
        lambda: client.run("p"),
        lambda: client._emit(7, "msg", scope="//stuff"),
        lambda: client.authenticate(*USER),
        lambda: force(lazy.query("1")),
        lambda: Heard(7).join(client),
    ):
        with pytest.raises(InvalidResponse, match=f"kind {kind}"):
            ask()
    played.answer = script
    assert client.query("1") == "1"

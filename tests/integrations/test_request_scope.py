"""Scopes of requests: credentials, batches, deadlines, and their end. Without a server."""

from __future__ import annotations

import math
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import (
    API,
    CallCancelled,
    ConfigurationError,
    DeadlineExceeded,
    InvalidInput,
    Token,
    UnretrievedFailure,
    force,
    services,
)
from flowthings_like.green import detect
from flowthings_like.integrations.client_watch import ClientWatch, find_client, has_gone
from flowthings_like.integrations.wsgi import RequestScope, RequestScopes, ScopeMiddleware, scope_of
from flowthings_like.services.things.client import Client
from flowthings_like.transport.call_scope import limit_call

from ..green.fakes import submitted_together, until
from ..services.database.targets import SQLite
from ..services.support import Answer, serving
from .support import Platform, serve


@pytest.fixture
def platform() -> Platform:
    return Platform()


def by_header(environ: Any) -> Token:
    return Token("acme", environ["HTTP_X_TOKEN"])


@pytest.fixture
def scopes(platform: Platform) -> RequestScopes:
    return RequestScopes(platform.api(), credentials=by_header)


def opened(scopes: RequestScopes, token: str = "a", **environ: Any) -> RequestScope:
    return scopes.open({"HTTP_X_TOKEN": token, **environ})


# What a request has


def test_each_request_has_its_own_credentials_and_the_options_of_the_process(platform: Platform) -> None:
    base = platform.api()
    scopes = RequestScopes(base, credentials=by_header)
    one, two = opened(scopes, "one"), opened(scopes, "two")
    assert [scope.api.flow.read("f1")["token"] for scope in (one, two, one)] == ["one", "two", "one"]
    assert base.flow.read("f1")["token"] == "own"
    assert one.api.creds == Token("acme", "one")
    for scope in (one, two):
        scope.close()


def test_without_credentials_of_their_own_requests_have_those_of_the_process(platform: Platform) -> None:
    base = platform.api()
    scope = RequestScopes(base).open({})
    assert scope.api.flow.read("f1")["token"] == "own"
    base.creds = Token("acme", "renewed")
    scope.close()
    later = RequestScopes(base).open({})
    assert later.api.flow.read("f1")["token"] == "renewed"
    later.close()


def test_lazy_calls_of_a_request_travel_together_and_those_of_two_do_not(
    platform: Platform, scopes: RequestScopes
) -> None:
    one, two = opened(scopes, "one"), opened(scopes, "two")
    assert one.lazy is one.lazy
    with submitted_together(one.lazy), submitted_together(two.lazy):
        found = [scope.lazy.flow.read(f"f{i}") for i in range(5) for scope in (one, two)]
    assert [flow["token"] for flow in found] == ["one", "two"] * 5
    assert sorted(platform.asked) == [("one", "MGET", 5), ("two", "MGET", 5)]
    one.close()
    two.close()


def test_equal_reads_of_two_requests_share_nothing(platform: Platform, scopes: RequestScopes) -> None:
    one, two = opened(scopes, "one"), opened(scopes, "two")
    found = [scope.lazy.flow.read("f1") for scope in (one, two)]
    assert [flow["token"] for flow in found] == ["one", "two"]
    assert force(found[0]) is not force(found[1])
    one.close()
    two.close()


@pytest.mark.parametrize("is_used_before", [True, False])
@pytest.mark.parametrize("transport", ["auto", "requests"])
def test_the_cookies_of_one_request_are_not_sent_with_the_next(transport: str, is_used_before: bool) -> None:
    headers = {"Content-Type": "application/json", "Set-Cookie": "session=of-somebody; Path=/"}
    with (
        serving(lambda seen: Answer(headers=headers)) as server,
        API(Token("acme", "own"), host=server.address, secure=False, transport=transport) as base,
    ):
        if is_used_before:
            assert base.session.adapters
        for token in ("one", "two"):
            scope = opened(RequestScopes(base, credentials=by_header), token)
            scope.api.flow.read("f1")
            scope.close()
        assert [seen.headers["x-auth-token"] for seen in server.seen] == ["one", "two"]
        assert not any("cookie" in seen.headers for seen in server.seen)
        base.session.cookies.set("chosen", "by-the-program")
        scope = opened(RequestScopes(base, credentials=by_header), "three")
        scope.api.flow.read("f1")
        scope.close()
        assert server.seen[-1].headers["cookie"] == "chosen=by-the-program"


def test_services_that_the_program_has_added_are_there(platform: Platform) -> None:
    class Report(services.FullService):
        path = "/report"

    base = platform.api()
    base.add_service("report", Report)
    scope = RequestScopes(base, credentials=by_header).open({"HTTP_X_TOKEN": "one"})
    assert scope.api.report.read("r1")["token"] == "one"  # type: ignore[attr-defined]
    assert scope.lazy.report.read("r1")["token"] == "one"  # type: ignore[attr-defined]
    assert base.report.read("r1")["token"] == "own"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        scope.api.nothing  # type: ignore[attr-defined] # noqa: B018
    scope.close()


def test_clients_that_log_in_are_shared_by_requests_with_the_same_credentials_only() -> None:
    base = API(Token("acme", "own"), host="platform", things="things://things", records="tstorage://records")
    same, other = RequestScopes(base).open({}), opened(RequestScopes(base, credentials=by_header))
    assert same.api.things is base.things
    assert same.api.stream is base.stream
    assert other.api.things is other.api.things
    assert other.api.things is not base.things
    assert other.api.stream is not base.stream
    assert other.api.record is same.api.record is base.record
    assert base.room._locate() is base.things  # its rooms are there when the next request begins
    later = opened(RequestScopes(base, credentials=by_header))
    assert later.api.room._locate() is later.api.things is not base.things
    assert same.api.room._locate() is base.things
    later.close()
    things = other.api.things
    assert isinstance(things, Client)
    other.close()
    same.close()
    with pytest.raises(Exception, match="closed"):
        things.query("1;")
    assert base._things is not None
    assert not base._things._was_closed
    base.close()


def test_a_request_without_credentials_may_not_use_the_api(platform: Platform) -> None:
    scope = RequestScopes(platform.api(), credentials=lambda environ: None).open({})
    with pytest.raises(ConfigurationError, match="no credentials"):
        scope.lazy  # noqa: B018
    scope.close()
    assert platform.asked == []


def test_credentials_are_asked_for_when_they_are_needed(platform: Platform) -> None:
    scope = RequestScopes(platform.api(), credentials=lambda environ: 1 / 0).open({})
    scope.close()


# Deadlines


def test_a_client_may_ask_for_less_time_and_not_for_more(platform: Platform) -> None:
    scopes = RequestScopes(platform.api(), timeout=5, timeout_header="X-Request-Timeout")
    for asked, most in (
        ({}, 5),
        ({"HTTP_X_REQUEST_TIMEOUT": "2.5"}, 2.5),
        ({"HTTP_X_REQUEST_TIMEOUT": "60"}, 5),
    ):
        scope = scopes.open(dict(asked))
        assert most - 1 < scope.left() <= most
        scope.close()
    unlimited = RequestScopes(platform.api()).open({"HTTP_X_REQUEST_TIMEOUT": "1"})
    assert unlimited.left() == math.inf
    unlimited.close()
    for wrong in ("soon", "0", "-1", "nan", ""):
        with pytest.raises(InvalidInput, match=r"the header X-Request-Timeout is .*give seconds above 0"):
            scopes.open({"HTTP_X_REQUEST_TIMEOUT": wrong})


def test_the_deadline_is_that_of_all_calls_of_the_request(platform: Platform) -> None:
    base = platform.api()
    scope = RequestScopes(base, timeout=0.05).open({})
    lazy = scope.lazy
    assert scope.api.flow.read("f1")
    until(lambda: scope.left() < 0)
    platform.asked.clear()
    with pytest.raises(DeadlineExceeded, match="the deadline of the request"):
        scope.run(scope.api.flow.read, "f1")
    with pytest.raises(DeadlineExceeded):
        force(scope.run(lazy.flow.read, "f1"))
    with pytest.raises(DeadlineExceeded):  # also of those that are not made through the scope
        scope.run(base.flow.read, "f1")
    assert platform.asked == []
    scope.close()
    assert base.flow.read("f1")


def test_a_statement_of_the_database_ends_with_the_request(platform: Platform, tmp_path: Path) -> None:
    with platform.api(db=f"sqlite:///{tmp_path / 'a.db'}") as base:
        scopes = RequestScopes(base, timeout_header="X-Request-Timeout")

        def application(environ: Any, start_response: Any) -> Any:
            scope_of(environ).api.db.run_query(SQLite.forever)

        status, body = serve(ScopeMiddleware(application, scopes), HTTP_X_REQUEST_TIMEOUT="0.1")
        assert status == "504 Gateway Timeout"
        assert b"the statement was cancelled" in body
        assert base.db.run_query("select 1") == [(1,)]


# The end


def test_a_complete_response_waits_for_calls_that_nobody_needed(
    platform: Platform, scopes: RequestScopes
) -> None:
    held, scope = platform.hold(), opened(scopes)
    made = scope.lazy.flow.create({"path": "/acme/a"})
    assert platform.entered.wait(20)
    ended = detect().spawn(scope.close)
    assert repr(made).startswith("<GreenThunk pending")
    held.set()
    detect().get(ended, 20)
    assert made["token"] == "a"


@pytest.mark.needs("green", "a call in an OS thread cannot be interrupted")
def test_calls_in_flight_are_stopped_when_a_response_is_given_up(
    platform: Platform, scopes: RequestScopes
) -> None:
    platform.hold()
    scope = opened(scopes)
    alone, bulk = scope.lazy.flow.find(), [scope.lazy.flow.read(f"f{i}") for i in range(3)]
    own = scope.api.async_()
    own.flow.find()
    assert platform.entered.wait(20)
    scope.abandon()
    for thunk in (alone, *bulk):
        with pytest.raises(CallCancelled):
            force(thunk)


@pytest.mark.needs("threads", "green threads are interrupted")
def test_queued_calls_of_os_threads_are_dropped_when_a_response_is_given_up(platform: Platform) -> None:
    held = platform.hold()
    scope = RequestScopes(platform.api(), pool=1).open({})
    found = [scope.lazy.flow.find() for _ in range(3)]
    assert platform.entered.wait(20)
    scope.abandon()
    held.set()
    for thunk in found[1:]:
        with pytest.raises(CallCancelled):
            force(thunk)
    assert len(platform.asked) == 1
    force(found[0])


@pytest.mark.parametrize("end", ["close", "abandon"])
def test_the_api_of_a_request_that_has_ended_refuses_calls(
    end: str, platform: Platform, scopes: RequestScopes
) -> None:
    scope = opened(scopes)
    api, lazy = scope.api, scope.lazy
    getattr(scope, end)()
    getattr(scope, end)()
    with pytest.raises(ConfigurationError, match="closed at the end of its web request"):
        api.flow.find()
    with pytest.raises(ConfigurationError, match="closed"):
        force(lazy.flow.find())
    unused = opened(scopes)
    getattr(unused, end)()
    with pytest.raises(ConfigurationError, match="has ended"):
        unused.api  # noqa: B018
    assert platform.asked == []


def test_an_interrupted_wait_at_the_end_cancels_and_closes(platform: Platform, scopes: RequestScopes) -> None:
    scope = opened(scopes)
    api: Any = scope.api
    view: Any = api.lazy()

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    view.__dict__["__exit__"] = interrupted
    with pytest.raises(KeyboardInterrupt):
        scope.close()
    with pytest.raises(ConfigurationError, match="closed"):
        api.flow.find()
    assert limit_call(None) is None


# Clients that go


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        served, _ = server.accept()
    with client, served:
        yield client, served


def test_a_client_has_gone_when_it_has_closed(connected: tuple[socket.socket, socket.socket]) -> None:
    client, served = connected
    assert not has_gone(served.fileno())
    client.sendall(b"a part of a body that nobody reads")
    assert not has_gone(served.fileno())
    client.close()
    until(lambda: has_gone(served.fileno()))
    assert served.recv(6) == b"a part"  # it was not touched
    assert not has_gone(-1)


def test_a_proxy_behind_a_unix_socket_has_gone_when_it_has_closed() -> None:
    client, served = socket.socketpair()
    with client, served:
        assert not has_gone(served.fileno())
        client.close()
        until(lambda: has_gone(served.fileno()))


def test_servers_that_give_access_to_the_client(connected: tuple[socket.socket, socket.socket]) -> None:
    client, served = connected

    class Input:
        def __init__(self) -> None:
            self.socket = served

        def get_socket(self) -> socket.socket:
            return served

    environs: list[dict[str, Any]] = [
        {"gunicorn.socket": served},
        {"eventlet.input": Input()},
        {"wsgi.input": Input()},
        {"waitress.client_disconnected": lambda: has_gone(served.fileno())},
    ]
    clients = [find_client(environ) for environ in environs]
    assert all(client is not None for client in clients)
    assert [client() for client in clients if client] == [False] * 4
    client.close()
    until(lambda: all(client() for client in clients if client))
    assert find_client({}) is None


def test_calls_are_cancelled_when_the_client_goes_while_the_handler_runs(
    connected: tuple[socket.socket, socket.socket], platform: Platform
) -> None:
    client, served = connected
    held = platform.hold()
    scope = RequestScopes(platform.api(), pool=1).open({"gunicorn.socket": served})
    found = [scope.lazy.flow.find() for _ in range(2)]
    assert platform.entered.wait(20)
    client.close()
    with pytest.raises(CallCancelled):
        force(found[1])
    until(lambda: scope.is_cancelled)
    with pytest.raises(CallCancelled, match="the client of this request has gone"):
        scope.run(scope.api.flow.find)
    held.set()
    if detect().name == "threads":
        force(found[0])
    scope.abandon()


def test_nobody_looks_at_a_client_that_has_its_response(
    connected: tuple[socket.socket, socket.socket], platform: Platform
) -> None:
    client, served = connected
    held = platform.hold()
    scope = RequestScopes(platform.api()).open({"gunicorn.socket": served})
    made = scope.lazy.flow.create({"path": "/acme/a"})
    assert platform.entered.wait(20)
    ended = detect().spawn(scope.close)
    client.close()
    until(lambda: has_gone(served.fileno()) and scope._client is None)
    assert scope.is_due() is None
    assert scope.is_due() is None
    held.set()
    detect().get(ended, 20)
    assert made["id"] == "new"


def test_calls_are_cancelled_after_the_deadline(platform: Platform) -> None:
    held = platform.hold()
    scope = RequestScopes(platform.api(), timeout=0.1, pool=1).open({})
    found = [scope.lazy.call(lambda: held.wait(20)) for _ in range(2)]
    with pytest.raises((CallCancelled, DeadlineExceeded)):
        force(found[1])
    held.set()
    if detect().name == "threads":
        force(found[0])
    scope.abandon()


class Watched:
    """A request for a ClientWatch."""

    def __init__(self, *looks: Any) -> None:
        self.looks = list(looks)
        self.reasons: list[str] = []

    def is_due(self) -> str | None:
        look = self.looks.pop(0) if self.looks else None
        if isinstance(look, BaseException):
            raise look
        return look  # type: ignore[no-any-return]

    def cancel(self, reason: str) -> None:
        self.reasons.append(reason)


def test_a_watch_goes_on_after_a_request_that_fails_and_after_it_was_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ClientWatch, "interval", 0.001)
    monkeypatch.setattr(ClientWatch, "linger", 2)
    watch = ClientWatch(detect())
    for _ in range(3):
        failing, fine = Watched(OSError(), None, "late"), Watched(None, "gone")
        watch.add(failing)
        watch.add(fine)
        until(lambda fine=fine, failing=failing: fine.reasons and failing.reasons)  # type: ignore[misc]
        assert (failing.reasons, fine.reasons) == (["late"], ["gone"])
        until(lambda: not watch._thread.started)  # that of the next requests


class Killed(BaseException):
    """What a library stops a thread with."""


def test_a_watch_that_was_killed_is_started_by_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClientWatch, "interval", 0.001)
    watch = ClientWatch(detect())
    killed = Watched(Killed())
    thread = watch._thread
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        watch.add(killed)
        until(lambda: watch._thread is not thread)
    watch.discard(killed)
    fine = Watched("gone")
    watch.add(fine)
    until(lambda: fine.reasons == ["gone"])


# Middleware


def test_the_middleware_gives_each_request_a_scope(platform: Platform, scopes: RequestScopes) -> None:
    kept = []

    def application(environ: Any, start_response: Any) -> Any:
        scope = scope_of(environ)
        kept.append(scope)
        start_response("200 OK", [])
        return (scope.lazy.flow.read(id)["token"].encode() for id in ("f1", "f2"))

    served = ScopeMiddleware(application, scopes)
    assert serve(served, HTTP_X_TOKEN="one") == ("200 OK", b"oneone")
    assert serve(served, HTTP_X_TOKEN="two") == ("200 OK", b"twotwo")
    for scope in kept:
        with pytest.raises(ConfigurationError, match="closed"):
            scope.api.flow.find()
    with pytest.raises(ConfigurationError, match="ScopeMiddleware"):
        scope_of({})


@pytest.mark.needs("green", "a call in an OS thread cannot be interrupted")
def test_a_response_that_is_closed_before_its_end_has_its_calls_cancelled(
    platform: Platform, scopes: RequestScopes
) -> None:
    found: list[Any] = []
    closed: list[bool] = []

    class Parts:
        def __iter__(self) -> Iterator[bytes]:
            yield b"one"
            yield b"two"

        def close(self) -> None:
            closed.append(True)

    def application(environ: Any, start_response: Any) -> Any:
        platform.hold()
        found.append(scope_of(environ).lazy.flow.find())
        start_response("200 OK", [])
        return Parts()

    response: Any = ScopeMiddleware(application, scopes)({"HTTP_X_TOKEN": "one"}, lambda *_: None)
    assert next(response) == b"one"
    assert platform.entered.wait(20)
    response.close()
    assert closed == [True]
    with pytest.raises(CallCancelled):
        force(found[0])


def test_an_application_that_fails_ends_the_scope(platform: Platform, scopes: RequestScopes) -> None:
    kept: list[RequestScope] = []

    def application(environ: Any, start_response: Any) -> Any:
        kept.append(scope_of(environ))
        kept[0].api.flow.find()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        serve(ScopeMiddleware(application, scopes), HTTP_X_TOKEN="one")
    with pytest.raises(ConfigurationError, match="closed"):
        kept[0].api.flow.find()
    assert limit_call(None) is None


def test_a_request_whose_deadline_has_passed_is_answered_with_504(platform: Platform) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        scope = scope_of(environ)
        until(lambda: scope.left() < 0)
        start_response("200 OK", [])
        return [scope.api.flow.find()]

    scopes = RequestScopes(platform.api(), timeout=0.01, timeout_header="X-Timeout")
    status, body = serve(ScopeMiddleware(application, scopes))
    assert status == "504 Gateway Timeout"
    assert b"deadline" in body
    status, body = serve(ScopeMiddleware(application, scopes), HTTP_X_TIMEOUT="soon")
    assert status == "400 Bad Request"
    assert b"the header X-Timeout is 'soon'" in body


def test_an_error_of_the_applications_own_is_not_answered(platform: Platform) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        raise DeadlineExceeded("of another call")

    with pytest.raises(DeadlineExceeded, match="of another call"):
        serve(ScopeMiddleware(application, RequestScopes(platform.api(), timeout=60)))


def test_options_that_make_no_sense_are_refused(platform: Platform) -> None:
    with pytest.raises(InvalidInput, match="timeout is -1"):
        RequestScopes(platform.api(), timeout=-1)
    with pytest.raises(InvalidInput, match="pool is 0"):
        RequestScopes(platform.api(), pool=0)
    with pytest.raises(ConfigurationError, match="credentials must be a function"):
        RequestScopes(platform.api(), credentials=Token("a", "b"))  # type: ignore[arg-type]


def test_a_write_that_nobody_needed_and_that_fails_is_reported(scopes: RequestScopes) -> None:
    scope = opened(scopes)
    scope.api.request = lambda *_, **__: ("{", {}, 200)
    scope.lazy.flow.create({"path": "/acme/a"})
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        scope.close()
        until(lambda: any(each.category is UnretrievedFailure for each in warned))

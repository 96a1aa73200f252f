"""Lazy queries: sent where they are written, without a thread, and waited for where the result is used."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from flowthings_like import Client, ConnectionFailed, DeadlineExceeded, force, is_ready
from flowthings_like.green import LazyAPI, UnretrievedFailure, detect
from flowthings_like.wire.things import errors as things_errors
from flowthings_like.wire.things.packages import Kind, Package, package
from flowthings_like.wire.things.values import pack, unpack
from tests.green.fakes import interrupted

from ...transport.things.scripted_node import Node, Session, wait_until
from .support import Script

GREEN = detect().name != "threads"


class Gate:
    """Holds back the answers to queries whose code starts with "wait", until it is opened."""

    def __init__(self, script: Script, played: Node) -> None:
        self.script = script
        self.kept: list[tuple[Session, Package]] = []
        played.answer = self

    def __call__(self, session: Session, request: Package) -> bytes | None:
        if request.kind == Kind.QUERY and unpack(request.body)[1].startswith("wait"):
            self.kept.append((session, request))
            return None
        return self.script(session, request)

    def open(self) -> None:
        while self.kept:
            session, request = self.kept.pop()
            session.send(package(Kind.DATA, request.id, pack(unpack(request.body)[1])))


@pytest.fixture
def gate(script: Script, played: Node) -> Gate:
    return Gate(script, played)


@pytest.fixture
def lazy(client: Client) -> LazyAPI:
    return LazyAPI(SimpleNamespace(things=client))


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets lazy calls fail that would run in a thread of their own."""

    def start(*args: Any) -> None:
        raise AssertionError("a thread for this call")

    monkeypatch.setattr(LazyAPI, "_start", start)
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("no_threads")
def test_a_thousand_queries_need_no_thread_and_few_writes(lazy: LazyAPI, client: Client) -> None:
    sent = [lazy.things.query("n", n=number) for number in range(1000)]
    assert [thunk["n"] for thunk in sent] == list(range(1000))
    assert lazy.things.run("procedure", 1, 2) == ["@t", "procedure", [1, 2]]
    assert unpack(force(lazy.things.query_raw("1"))) == "1"
    session = client._session
    assert session is not None
    assert session.current is not None
    numbers = session.current.statistics()
    assert numbers.in_flight == 0
    if GREEN:
        assert numbers.writes < 20


@pytest.mark.usefixtures("no_threads")
def test_each_has_its_own_result_or_its_own_error(lazy: LazyAPI, script: Script) -> None:
    script.queries = lambda code, variables: (-54, code) if code.startswith("bad") else code
    sent = [lazy.things.query(f"{'bad' if number % 3 == 0 else 'good'}{number}") for number in range(30)]
    for number, thunk in enumerate(sent):
        if number % 3:
            assert thunk == f"good{number}"
        else:
            with pytest.raises(things_errors.LookupError, match=f"bad{number}"):
                force(thunk)


@pytest.mark.usefixtures("no_threads")
def test_a_slow_query_does_not_hold_up_others(lazy: LazyAPI, gate: Gate) -> None:
    slow, quick = lazy.things.query("wait for it"), lazy.things.query("quick")
    assert quick == "quick"
    assert not is_ready(slow)
    gate.open()
    wait_until(lambda: is_ready(slow))
    assert slow == "wait for it"


def test_invalid_arguments_raise_where_the_result_is_used(lazy: LazyAPI) -> None:
    thunk, both = lazy.things.query("x", scope="nonsense"), lazy.things.run("p", 1, b=2)
    with pytest.raises(ValueError, match="nonsense"):
        force(thunk)
    with pytest.raises(ValueError, match="not both"):
        force(both)


def test_a_deadline_counts_from_the_call(lazy: LazyAPI, gate: Gate) -> None:
    late = lazy.things.query("wait", timeout=0.01)
    with pytest.raises(DeadlineExceeded):
        force(late)
    gate.open()
    assert lazy.things.query("next") == "next"
    with pytest.raises(DeadlineExceeded):  # as before, though the answer is here by now
        force(late)


def test_a_lost_connection_fails_or_repeats_each_query(lazy: LazyAPI, gate: Gate, played: Node) -> None:
    lost = [lazy.things.query(f"wait {number}") for number in range(100)]
    again = lazy.things.query("wait", idempotent=True)
    wait_until(lambda: len(gate.kept) == 101)
    gate.kept.clear()
    played.end()
    for thunk in lost:
        with pytest.raises(ConnectionFailed, match="may have run") as caught:
            force(thunk)
        assert caught.value.sent is True
    waiting = detect().spawn(force, again)
    wait_until(lambda: len(gate.kept) == 1)
    gate.open()
    assert detect().get(waiting, 20) == "wait"


def test_a_node_that_cannot_serve_now_is_asked_again(lazy: LazyAPI, script: Script) -> None:
    script.queries = lambda code, variables: code if script.count(Kind.QUERY) > 2 else (-51, "away")
    assert lazy.things.query("back") == "back"


def test_one_of_several_threads_that_wait_for_a_result_is_interrupted(lazy: LazyAPI, gate: Gate) -> None:
    thunk = lazy.things.query("wait")
    with interrupted():
        force(thunk)
    waiting = [detect().spawn(force, thunk) for _ in range(5)]
    with interrupted():
        force(thunk)
    if GREEN:
        detect().sleep(0.001)
        detect().kill(waiting[0])  # most likely the one that waits for the answer
        del waiting[0]
    gate.open()
    assert [detect().get(each, 20) for each in waiting] == ["wait"] * len(waiting)
    assert thunk == "wait"


def test_a_block_waits_for_the_calls_made_in_it(lazy: LazyAPI, gate: Gate) -> None:
    opener = None
    with lazy:
        thunk = lazy.things.query("wait")
        opener = detect().spawn(lambda: (wait_until(lambda: bool(gate.kept)), gate.open()))
    assert is_ready(thunk)
    detect().get(opener, 20)


def test_a_block_that_is_interrupted_does_not_wait(lazy: LazyAPI, gate: Gate) -> None:
    sent = []

    def work() -> None:
        with lazy:
            sent.append(lazy.things.query("wait"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    with pytest.raises(Exception, match="given up"):
        force(sent[0])
    gate.open()
    assert lazy.things.query("next") == "next"


@pytest.mark.parametrize("kept_until_answered", [True, False])
def test_an_unretrieved_failure_is_reported_once(
    lazy: LazyAPI, script: Script, client: Client, kept_until_answered: bool
) -> None:
    script.queries = lambda code, variables: (-54, "nowhere") if code == "bad" else code
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        sent = [lazy.things.query("bad")]
        if kept_until_answered:
            wait_until(lambda: is_ready(sent[0]))
        sent.clear()
        assert client.query("good") == "good"
        wait_until(lambda: bool(told))
    assert [each.category for each in told] == [UnretrievedFailure]
    assert "nowhere" in str(told[0].message)


def test_an_unretrieved_success_is_not_reported(lazy: LazyAPI, client: Client) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        lazy.things.query("fine")
        assert client.query("good") == "good"
        gc.collect()
    assert not told

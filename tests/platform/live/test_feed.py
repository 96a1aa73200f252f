"""The feed of one process: gaps that other processes make, replaced drops, and a thread that is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from flowthings_like.green import detect
from flowthings_like.platform.live import arrivals, feed, outgoing
from flowthings_like.platform.live.channel import Channel
from flowthings_like.platform.live.outgoing import Batch, Outgoing
from flowthings_like.platform.live.session import Session
from flowthings_like.platform.live.session_ids import Credential
from flowthings_like.platform.live.subscription import TRANSITIONS, State, Subscription, Variant
from flowthings_like.platform.problems import Unavailable
from flowthings_like.platform.resources.access.accounts import Accounts
from flowthings_like.platform.resources.access.token_strings import hashed
from flowthings_like.platform.resources.drops import verbs
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.store.schema import resources
from flowthings_like.wire.live import Since, Start
from tests.platform.harness import ME, add_flow, until


class Host:
    """What sessions share."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.accounts = Accounts(store, trusted={"secret": "acme"})
        self.feed = feed.Feed(store)

    def call(self, *_: Any) -> Any:
        raise NotImplementedError

    def follow(self, flow: str, since: Since | None = None, filter: str = "") -> Reader:
        session = Session(self, Credential(hashed("secret"), "acme"))
        session.subscribe(flow, since or Since(Start.NOW), filter, False)
        return Reader(session)


class Reader:
    """A client in this process."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.channel = Channel(session)
        self.found: list[dict[str, Any]] = []

    def read(self, seconds: float = 0.05) -> None:
        messages = map(orjson.loads, self.channel.receive(seconds))
        self.found += [message for message in messages if message.get("type") == "message"]

    def numbers(self, count: int) -> list[int]:
        """The numbers of the next so many drops."""
        until(lambda: self.read() or len(self.found) >= count)
        taken, self.found = self.found[:count], self.found[count:]
        self.cursor = taken[-1]["cursor"]
        return [message["value"]["elems"]["n"] for message in taken]


@pytest.fixture
def host(store: Store) -> Iterator[Host]:
    made = Host(store)
    yield made
    made.feed.close()


@pytest.fixture
def elsewhere(store: Store, folder: Path) -> Iterator[Store]:
    """The same folder as another process sees it."""
    with Store(folder) as opened:
        yield opened


def create(store: Store, flow: str, *numbers: int, fhash: str | None = None) -> None:
    for n in numbers:
        verbs.create(store, ME, flow, {"elems": {"n": n}, **({"fhash": fhash} if fhash else {})})


def test_what_another_process_creates_comes_in_its_place(
    host: Host, store: Store, elsewhere: Store, flow: str
) -> None:
    reader = host.follow(flow)
    for n in range(0, 40, 2):
        create(elsewhere, flow, n)
        create(store, flow, n + 1)
    assert reader.numbers(40) == list(range(40))
    reader.read()
    assert reader.found == []


def test_what_another_process_creates_alone_comes_soon(host: Host, elsewhere: Store, flow: str) -> None:
    reader = host.follow(flow)
    create(elsewhere, flow, *range(5))
    assert reader.numbers(5) == list(range(5))


def test_a_process_that_is_killed_after_its_commit_has_told_nobody(
    host: Host, elsewhere: Store, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere.announcements, "publish", lambda _: None)
    reader = host.follow(flow)
    create(elsewhere, flow, 1, 2)
    assert reader.numbers(2) == [1, 2]


def test_many_drops_of_another_process_come_in_pages(
    host: Host, elsewhere: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = add_flow(elsewhere, "/acme/large", capacity=5000)
    reader = host.follow(flow)
    verbs.create_many(elsewhere, ME, flow, [{"elems": {"n": n}} for n in range(3 * arrivals.PAGE + 1)])
    assert reader.numbers(3 * arrivals.PAGE + 1) == list(range(3 * arrivals.PAGE + 1))


@pytest.mark.parametrize("writer", ["store", "elsewhere"])
def test_a_replaced_drop_comes_once(
    host: Host, request: pytest.FixtureRequest, store: Store, flow: str, writer: str
) -> None:
    writing = store if writer == "store" else request.getfixturevalue("elsewhere")
    reader = host.follow(flow)
    create(writing, flow, 1, fhash="x")
    assert reader.numbers(1) == [1]
    create(writing, flow, 2, fhash="x")
    create(writing, flow, 3)
    assert reader.numbers(1) == [3]


def test_a_drop_that_was_created_and_replaced_while_a_reader_was_away_comes_once(
    host: Host, store: Store, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "REPLACED_WITHIN", 0)
    reader = host.follow(flow)
    create(store, flow, 1, fhash="old")
    assert reader.numbers(1) == [1]
    cursor = Since.parse({"cursor": reader.cursor})
    reader.channel.close()
    detect().sleep(0.01)
    create(store, flow, 2, fhash="old")
    create(store, flow, 3, fhash="new")
    create(store, flow, 4, fhash="new")
    assert host.follow(flow, cursor).numbers(1) == [4]


def test_a_cursor_of_a_database_that_was_replaced_by_an_older_one(
    host: Host, store: Store, flow: str
) -> None:
    create(store, flow, 1)
    reader = host.follow(flow, Since.parse({"cursor": "99.1"}))
    create(store, flow, 2)
    assert reader.numbers(1) == [2]


def test_readers_that_begin_at_different_places(host: Host, store: Store, flow: str) -> None:
    create(store, flow, *range(10))
    readers = [
        host.follow(flow, Since.parse(since))
        for since in ("start", {"cursor": "4.1"}, "now", {"time": 0}, {"cursor": "9.1"})
    ]
    create(store, flow, 10, 11)
    assert [reader.numbers(12 - first) for reader, first in zip(readers, (0, 4, 10, 0, 9), strict=True)] == [
        list(range(first, 12)) for first in (0, 4, 10, 0, 9)
    ]


@pytest.fixture
def passing(store: Store) -> str:
    """A flow that holds nothing."""
    return add_flow(store, "/acme/passing", capacity=0)


def test_drops_of_a_flow_that_holds_nothing_come_from_any_process(
    host: Host, store: Store, elsewhere: Store, passing: str
) -> None:
    reader = host.follow(passing, Since(Start.START))
    for n in range(0, 20, 2):
        create(elsewhere, passing, n)
        create(store, passing, n + 1)
    assert reader.numbers(20) == list(range(20))
    assert verbs.find(store, ME, passing) == []


def test_a_reader_of_a_flow_that_holds_nothing_comes_back(
    host: Host, store: Store, elsewhere: Store, passing: str
) -> None:
    reader = host.follow(passing)
    create(store, passing, 1, 2)
    assert reader.numbers(1) == [1]
    cursor = Since.parse({"cursor": reader.cursor})
    reader.channel.close()
    create(elsewhere, passing, 3)
    assert host.follow(passing, cursor).numbers(2) == [2, 3]


def kept(store: Store) -> int:
    text = "SELECT count(*) FROM passing_drops"
    return int(store.read(lambda connection: connection.exec_driver_sql(text).scalar_one()))


@pytest.mark.sqlite("processes without a folder do not know whether somebody follows flows")
def test_a_flow_that_holds_nothing_keeps_nothing_unless_it_is_followed(
    host: Host, store: Store, passing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(store, passing, 1)
    assert kept(store) == 0
    reader = host.follow(passing)
    create(store, passing, 2)
    assert (reader.numbers(1), kept(store)) == ([2], 1)
    monkeypatch.setattr("flowthings_like.platform.resources.drops.passing.KEPT", -1)
    create(store, passing, 3)
    assert (reader.numbers(1), kept(store)) == ([3], 1)


def test_a_reader_that_begins_further_than_the_feed_has_got(
    host: Host, elsewhere: Store, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = host.follow(flow)
    with monkeypatch.context() as patch:
        patch.setattr(host.feed, "_turn", lambda: None)
        create(elsewhere, flow, 1, 2)
        second = host.follow(flow)
        third = host.follow(flow, Since.parse({"cursor": "1.1"}))
        second.read()
    create(elsewhere, flow, 3)
    assert (first.numbers(3), second.numbers(1), third.numbers(2)) == ([1, 2, 3], [3], [2, 3])


def test_a_flow_that_is_deleted_and_made_again(host: Host, store: Store, flow: str) -> None:
    reader = host.follow(flow)
    other = host.follow(add_flow(store, "/acme/b"))
    deletion = resources.delete().where(resources.c.id == flow)
    store.write(lambda connection: connection.execute(deletion), clears_cache=True)
    create(store, "/acme/b", 1)
    assert other.numbers(1) == [1]
    reader.read()
    assert reader.found == []


def test_when_nobody_listens_nothing_is_kept(host: Host, store: Store, flow: str) -> None:
    reader = host.follow(flow)
    create(store, flow, 1)
    assert reader.numbers(1) == [1]
    reader.channel.close()
    until(lambda: store.announcements.listener is None)
    create(store, flow, 2)
    assert store.announcements.take() == []
    assert host.feed._flows == {}
    reader = host.follow(flow, Since.parse({"cursor": reader.cursor}))
    create(store, flow, 3)
    assert reader.numbers(2) == [2, 3]


def test_an_abandoned_session_is_removed(host: Host, store: Store, flow: str) -> None:
    host.follow(flow).channel.abandon()
    until(lambda: not host.feed._flows)


def test_a_thread_that_was_killed_is_replaced(
    host: Host, store: Store, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = host.follow(flow)
    create(store, flow, 1)
    assert reader.numbers(1) == [1]
    monkeypatch.setattr(feed, "STALLED", 0.2)
    original, killed = host.feed._turn, []

    class Killed(BaseException):
        pass

    def die() -> None:
        killed.append(True)
        monkeypatch.setattr(host.feed, "_turn", original)
        raise Killed

    monkeypatch.setattr(host.feed, "_turn", die)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    create(store, flow, 2)
    until(lambda: bool(killed))
    create(store, flow, 3)
    assert reader.numbers(2) == [2, 3]


def test_an_error_in_a_turn_does_not_end_the_thread(
    host: Host, store: Store, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = host.follow(flow)
    original, failed = host.feed._look_up, []

    def fail() -> None:
        if len(failed) < 3:
            failed.append(True)
            raise Unavailable("the disk is full")
        original()

    monkeypatch.setattr(host.feed, "_look_up", fail)
    create(store, flow, 1)
    assert reader.numbers(1) == [1]
    until(lambda: len(failed) == 3)
    create(store, flow, 2)
    assert reader.numbers(1) == [2]


def test_a_closed_channel_gives_what_waits_and_then_raises(host: Host, flow: str) -> None:
    reader = host.follow(flow)
    reader.channel.close()
    assert len(reader.channel.receive(0.01)) == 1  # the reply
    with pytest.raises(ConnectionResetError, match="closed"):
        reader.channel.receive(0.01)


# The parts


def next_batch(reader: Reader) -> Batch:
    found: list[Batch] = []
    until(lambda: bool(found.extend(reader.session.output(0.05)) or found))
    return found[0]


def test_equal_variants_share_their_bytes(host: Host, store: Store, flow: str) -> None:
    readers = [host.follow(flow) for _ in range(3)]
    for reader in readers:
        reader.read()
    create(store, flow, 1)
    first, second, third = [next_batch(reader) for reader in readers]
    assert first is second is third


def test_too_much_for_one_session_ends_it() -> None:
    queue = Outgoing(100)
    overflows: list[bool] = []
    queue.on_overflow = lambda: overflows.append(True)
    queue.add(Batch([b"x" * 90]))
    queue.add(Batch([b"x" * 90]))
    assert (queue.ending, queue.size) == (None, 180)
    queue.add(Batch([b"x"]))
    assert queue.ending is not None
    assert (queue.ending.code, "reads too slowly" in queue.ending.reason) == (1008, True)
    assert (queue.take(), queue.size, overflows) == ([], 0, [True])
    queue.add(Batch([b"x"]))
    assert queue.take() == []


def test_what_waits_is_sent_before_the_end() -> None:
    queue = Outgoing()
    queue.add(Batch([b"x"]))
    queue.end(1000, "done")
    queue.end(1001, "again")
    assert [batch.texts for batch in queue.take()] == [[b"x"]]
    assert queue.ending == outgoing.Ending(1000, "done")


def test_a_subscription_goes_from_state_to_state_as_the_table_says() -> None:
    session: Any = None
    for start in State:
        for following in State:
            subscription = Subscription(session, "f", Variant("f"), 0, 0)
            subscription.state = start
            if following is start or following in TRANSITIONS[start]:
                subscription.enter(following)
            else:
                with pytest.raises(RuntimeError, match="cannot follow"):
                    subscription.enter(following)

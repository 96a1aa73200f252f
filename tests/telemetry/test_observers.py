"""What observers are told of calls."""

from __future__ import annotations

import gc
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest

from flowthings_like import API, FlowThingsError, FlowThingsNotFound, Retry, Token, telemetry
from flowthings_like.records import Key, Record, StructPayloadType
from flowthings_like.telemetry import CallEvent, Family, Outcome
from flowthings_like.telemetry.observers import observers

from ..green.fakes import interrupted, submitted_together
from ..services.support import Answer, Seen, serving


@pytest.fixture
def events() -> Iterator[list[CallEvent]]:
    """The events of the calls that have ended, in order."""
    found: list[CallEvent] = []
    subscription = telemetry.subscribe(found.append)
    yield found
    subscription.close()
    assert not observers


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[API]:
    with API.embedded(tmp_path_factory.mktemp("data")) as opened:
        yield opened


def names(events: list[CallEvent]) -> list[tuple[str, str, str]]:
    return [(event.family.value, event.operation, event.outcome.value) for event in events]


def test_a_call_over_http_is_one_event(api: API, events: list[CallEvent]) -> None:
    flow = api.flow.create({"path": "/acme/secret-name", "capacity": 10})
    with pytest.raises(FlowThingsNotFound):
        api.flow.read("f" + "0" * 24)
    created, read = events
    assert names(events) == [("http", "POST /flow", "ok"), ("http", "GET /flow", "failed")]
    assert (created.status, created.error, created.attempts, created.calls) == (201, "", 1, 1)
    assert (read.status, read.error) == (404, "FlowThingsNotFound")
    assert created.host
    assert created.seconds is not None
    assert created.seconds > 0
    text = repr(events)
    assert "secret-name" not in text
    assert flow["id"] not in text
    assert str(api.creds.token) not in text


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("", "GET /"),
        ("/private-0815", "GET /"),
        ("/statistics/dropAdded/private", "GET /statistics"),
    ],
)
def test_an_operation_says_nothing_of_values(
    path: str, operation: str, api: API, events: list[CallEvent]
) -> None:
    with suppress(FlowThingsError):
        api.request("GET", path)
    assert [event.operation for event in events] == [operation]


def test_each_lazy_call_is_one_event_with_a_link_to_its_batch(api: API, events: list[CallEvent]) -> None:
    ids = [api.flow.create({"path": f"/acme/f{number}"})["id"] for number in range(3)]
    events.clear()
    lazy = api.lazy()
    with submitted_together(lazy):
        thunks = [lazy.flow.read(id) for id in (*ids, ids[0])]
    assert [thunk["id"] for thunk in thunks] == [*ids, ids[0]]
    request, *calls = events
    assert (request.operation, request.calls, request.batch) == ("MGET /flow", 3, None)
    assert names(calls) == [("http", "FlowService.read", "ok")] * 4  # an equal read has its own
    assert all(call.batch is request and call.host == request.host for call in calls)


def test_a_lazy_call_that_goes_alone_is_one_event(api: API, events: list[CallEvent]) -> None:
    id = api.flow.create({"path": "/acme/alone"})["id"]
    events.clear()
    assert api.lazy().flow.read(id)["id"] == id
    (event,) = events
    assert (event.operation, event.batch, event.status) == ("FlowService.read", None, 200)


def test_calls_of_a_refused_batch_end_each_in_its_own_way(api: API, events: list[CallEvent]) -> None:
    id = api.flow.create({"path": "/acme/here"})["id"]
    events.clear()
    lazy = api.lazy()
    with submitted_together(lazy):
        good, bad = lazy.flow.read(id), lazy.flow.read("f" + "0" * 24)
    assert good["id"] == id
    with pytest.raises(FlowThingsNotFound):
        bad.force()
    outcomes = sorted(event.outcome.value for event in events if event.operation == "FlowService.read")
    assert outcomes == ["failed", "ok"]


def test_a_call_that_is_given_up_is_cancelled(api: API, events: list[CallEvent]) -> None:
    lazy = api.lazy()
    with submitted_together(lazy):
        thunk = lazy.flow.read("f1")
        lazy._batcher.cancel()
    (event,) = events
    assert event.outcome is Outcome.CANCELLED
    del thunk
    gc.collect()


def test_sql_is_told_of(api: API, events: list[CallEvent]) -> None:
    api.db.run_operation("create table users (name text)")
    api.db.run_interaction(lambda cursor: cursor.execute("insert into users values ('ada')"))
    with api.db.transaction() as cursor:
        cursor.execute("insert into users values ('yoen')")
    assert list(api.db.iterate("select name from users order by name")) == [("ada",), ("yoen",)]
    with pytest.raises(Exception, match="nowhere"):
        api.db.run_query("select * from nowhere")
    with pytest.raises(ZeroDivisionError), api.db.transaction():
        raise ZeroDivisionError
    assert names(events) == [
        ("database", "run_operation", "ok"),
        ("database", "run_interaction", "ok"),
        ("database", "transaction", "ok"),
        ("database", "iterate", "ok"),
        ("database", "run_query", "failed"),
        ("database", "transaction", "failed"),
    ]
    assert [event.is_block for event in events] == [False, True, True, False, False, True]
    assert "ada" not in repr(events)
    assert "nowhere" not in repr(events)


def test_lazy_sql_has_links_to_its_batch(api: API, events: list[CallEvent]) -> None:
    api.db.run_operation("create table numbers (value integer)")
    events.clear()
    lazy = api.db.lazy()
    with submitted_together(lazy):
        thunks = [lazy.run_query("select ?", (number,)) for number in range(3)]
    assert [thunk.force() for thunk in thunks] == [[(0,)], [(1,)], [(2,)]]
    calls = [event for event in events if event.operation == "ConnectionPool.run_query"]
    assert len(calls) == 3
    batches = {id(event.batch) for event in calls}
    assert len(batches) == 1
    assert all(event.family is Family.DATABASE for event in calls)
    assert calls[0].batch is not None
    assert calls[0].batch.operation == "run_query"


def test_rooms_and_queries_are_told_of(api: API, events: list[CallEvent]) -> None:
    assert api.things.query("1 + 1") == 2
    assert api.things.lazy().query("2 + 2").force() == 4
    with pytest.raises(Exception, match="wrong"):
        api.things.query("raise('wrong');")
    found = [event for event in events if event.family is Family.THINGS]
    assert names(found) == [
        ("things", "query", "ok"),
        ("things", "query", "ok"),
        ("things", "query", "failed"),
    ]
    assert found[0].host.startswith("127.0.0.1:")


def test_an_interrupted_lazy_query_is_one_event(api: API, events: list[CallEvent]) -> None:
    assert api.things.query("1") == 1
    thunk = api.things.lazy().query("5 * 5")
    with interrupted():
        thunk.force()
    assert thunk.force() == 25
    assert names(events)[1:] == [("things", "query", "ok")]


def test_streams_are_told_of(api: API, events: list[CallEvent]) -> None:
    stream = api.stream.create(uuid.uuid4(), "sensors/jfk", tags={"name": "temp", "unit": "F"})
    stream.insert([(1, 1.0), (2, 2.0)])
    assert len(list(stream.values(0, 10))) == 2
    found = names([event for event in events if event.family is Family.STREAMS])
    assert ("streams", "Create", "ok") in found
    assert ("streams", "Insert", "ok") in found
    assert ("streams", "RawValues", "ok") in found
    events.clear()
    lazy = stream.lazy()
    with submitted_together(lazy):
        thunks = [lazy.insert([(number, 1.0)]) for number in (3, 4)]
    assert all(thunk.force() for thunk in thunks)
    inserts = [event for event in events if event.operation == "Stream.insert"]
    assert names(inserts) == [("streams", "Stream.insert", "ok")] * 2
    assert all(event.batch is not None and event.batch.calls == 2 for event in inserts)
    assert events[-1].host.startswith("127.0.0.1:")


def test_records_are_told_of(api: API, events: list[CallEvent]) -> None:
    channel = api.record(StructPayloadType("<d"))
    assert channel.put([Record(Key(1, 2, 3, 4, 5), 1.5)]).status.name == "OK"
    assert len(channel.get(Key.min(), Key.max()).data) == 1
    assert sum(isinstance(item, Record) for item in channel.get_iter(Key.min(), Key.max())) == 1
    assert names(events) == [
        ("records", "put", "ok"),
        ("records", "get", "ok"),
        ("records", "get_iter", "ok"),
    ]
    assert all(event.host.startswith("127.0.0.1:") for event in events)


def test_an_observer_that_fails_does_no_harm(api: API, caplog: pytest.LogCaptureFixture) -> None:
    def fails(event: CallEvent) -> None:
        raise ZeroDivisionError

    subscription = telemetry.subscribe(fails)
    try:
        with caplog.at_level(logging.ERROR, "flowthings_like"):
            assert api.flow.find(limit=0) == []
    finally:
        subscription.close()
    assert "an observer of calls failed" in caplog.text
    subscription.close()  # more calls do nothing


def test_calls_that_began_without_observers_are_not_told_of(api: API) -> None:
    lazy = api.lazy()
    with submitted_together(lazy):
        thunk = lazy.flow.read("f1")
        found: list[CallEvent] = []
        subscription = telemetry.subscribe(found.append)
        equal = lazy.flow.read("f1")
    for each in (thunk, equal):
        with pytest.raises(FlowThingsNotFound):
            each.force()
    subscription.close()
    assert [event.operation for event in found if "Service" in event.operation] == ["FlowService.read"]


def test_a_call_that_is_repeated_is_one_event(events: list[CallEvent]) -> None:
    answers = [503, 503, 200]
    with (
        serving(lambda seen: Answer(answers.pop(0))) as server,
        API(Token("acme", "t"), host=server.address, secure=False, retry=Retry(base=0.001)) as api,
    ):
        api.flow.read("f1")
    (event,) = events
    assert (event.attempts, event.status, event.outcome) == (3, 200, Outcome.OK)
    assert event.host == server.address


def test_a_call_that_is_interrupted_is_cancelled(events: list[CallEvent]) -> None:
    def slow(seen: Seen) -> Answer:
        time.sleep(1)
        return Answer()

    with serving(slow) as server, API(Token("acme", "t"), host=server.address, secure=False) as api:
        while not events:  # it may come before the call begins
            with interrupted():
                api.flow.read("f1")
    (event,) = events
    assert event.outcome is Outcome.CANCELLED
    assert event.seconds is not None
    assert event.seconds < 1

"""`api.drop(flow).follow()` and the seed's WebSocket client, with a platform in process and a served one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API, Token, mem
from flowthings_like.errors import (
    ConfigurationError,
    FlowThingsBadRequest,
    FlowThingsForbidden,
    FlowThingsNotFound,
    InvalidInput,
)
from flowthings_like.green import detect
from flowthings_like.services.rest.follower import Follower
from flowthings_like.testing.server import Server

WAIT = 20.0  # seconds, for a machine that is busy with other things


@pytest.fixture(params=["embedded", "served"])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[API]:
    if request.param == "embedded":
        with API.embedded(tmp_path) as made:
            yield made
    else:
        with Server(tmp_path) as server, server.api() as made:
            yield made


@pytest.fixture
def flow(api: API) -> str:
    return api.flow.create({"path": "/acme/a", "capacity": 100_000})["id"]


def create(api: API, flow: str, *numbers: int) -> list[Any]:
    return [api.drop(flow).create({"elems": {"n": n}}) for n in numbers]


def numbers(follower: Follower[Any], count: int) -> list[int]:
    """The next so many drops' numbers, and that there is no other one yet."""
    found = []
    for _ in range(count):
        drop = follower.get(WAIT)
        assert drop is not None, found
        found.append(drop["elems"]["n"])
    assert follower.get(0) is None
    return found


def test_it_hands_out_what_is_created_after_the_call(api: API, flow: str) -> None:
    create(api, flow, 1)
    with api.drop(flow).follow() as follower:
        made = create(api, flow, 2, 3)
        assert next(follower) == made[0]
        assert next(follower) == made[1]
        assert follower.get(0) is None


def test_a_bulk_create_comes_in_its_order(api: API, flow: str) -> None:
    with api.drop(flow).follow() as follower:
        api.drop(flow).create_many([{"elems": {"n": n}} for n in range(2000)])
        assert numbers(follower, 2000) == list(range(2000))


def test_since_start_a_drop_a_time_and_a_cursor(api: API, flow: str) -> None:
    drops = api.drop(flow)
    day = [datetime(2026, 1, day, tzinfo=timezone.utc) for day in (1, 2, 3)]
    made = [
        drops.create({"elems": {"n": n}, "creationDate": int(when.timestamp() * 1000)})
        for n, when in enumerate(day)
    ]
    with drops.follow(since="start") as follower:
        assert numbers(follower, 3) == [0, 1, 2]
        create(api, flow, 3)
        assert numbers(follower, 1) == [3]
        cursor = follower.cursor
    for since, count in ((made[1], 2), (made[1]["id"], 2), (day[1], 3), (int(day[2].timestamp() * 1000), 2)):
        with drops.follow(since=since) as follower:
            assert numbers(follower, count) == list(range(4 - count, 4))
    create(api, flow, 4)
    with drops.follow(since=cursor) as follower:
        assert numbers(follower, 1) == [4]


def test_since_a_drop_that_was_deleted(api: API, flow: str) -> None:
    made = create(api, flow, 1, 2, 3)
    api.drop(flow).delete(made[1]["id"])
    with api.drop(flow).follow(since=made[1]) as follower:
        assert numbers(follower, 1) == [3]


def test_many_pages_and_what_is_created_meanwhile(api: API, flow: str) -> None:
    drops = api.drop(flow)
    drops.create_many([{"elems": {"n": n}} for n in range(1700)])
    with drops.follow(since="start") as follower:
        found = [next(follower)["elems"]["n"] for _ in range(10)]
        drops.create_many([{"elems": {"n": n}} for n in range(1700, 2200)])
        found += [next(follower)["elems"]["n"] for _ in range(2190)]
        assert found == list(range(2200))
        create(api, flow, 2200)
        assert numbers(follower, 1) == [2200]


def test_filters_are_tested_by_the_platform(api: API, flow: str) -> None:
    create(api, flow, *range(6))
    with api.drop(flow).follow(mem.elems.n > 2, "elems.n != 4", since="start") as follower:
        assert numbers(follower, 2) == [3, 5]
        create(api, flow, 1, 4, 6)
        assert numbers(follower, 1) == [6]


def test_typed_elements(api: API, flow: str) -> None:
    create(api, flow, 1)
    with api.drop(flow).follow(since="start", hints=True) as follower:
        create(api, flow, 2)
        found = [next(follower)["elems"]["n"] for _ in range(2)]
    assert found == [{"type": "integer", "value": 1}, {"type": "integer", "value": 2}]


def test_a_loop_ends_after_the_time_out_and_goes_on_in_another_one(api: API, flow: str) -> None:
    with api.drop(flow).follow(timeout=0.3) as follower:
        create(api, flow, 1, 2)
        assert [drop["elems"]["n"] for drop in follower] == [1, 2]
        create(api, flow, 3)
        assert [drop["elems"]["n"] for drop in follower] == [3]


def test_a_drop_that_is_replaced_or_updated_does_not_come_again(api: API, flow: str) -> None:
    drops = api.drop(flow)
    with drops.follow() as follower:
        first = drops.create({"elems": {"n": 1}, "fhash": "total"})
        assert numbers(follower, 1) == [1]
        drops.create({"elems": {"n": 2}, "fhash": "total"})
        drops.update({"id": first["id"], "elems": {"n": 3}})
        create(api, flow, 4)
        assert numbers(follower, 1) == [4]


def test_copies_of_tracks_come_in_their_flow(api: API, flow: str) -> None:
    other = api.flow.create({"path": "/acme/b"})["id"]
    api.track.create({"source": "/acme/a", "destination": "/acme/b", "filter": "n > 1"})
    with api.drop("/acme/b").follow() as follower:
        create(api, flow, 1, 2)
        found = follower.get(WAIT)
    assert found is not None
    assert (found["flowId"], found["elems"]) == (other, {"n": 2})


def test_a_flow_that_keeps_nothing(api: API) -> None:
    flow = api.flow.create({"path": "/acme/passing", "capacity": 0})["id"]
    with api.drop(flow).follow() as follower:
        create(api, flow, 1, 2)
        assert numbers(follower, 2) == [1, 2]
    assert api.drop(flow).find() == []


def test_numbers_go_on_when_the_flow_is_emptied(api: API, flow: str) -> None:
    create(api, flow, 1, 2)
    with api.drop(flow).follow() as follower:
        api.drop(flow).delete_all()
        create(api, flow, 3)
        assert numbers(follower, 1) == [3]


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (FlowThingsNotFound, lambda api: api.drop("/acme/none").follow()),
        (FlowThingsBadRequest, lambda api: api.drop("/acme/a").follow("n >")),
        (InvalidInput, lambda api: api.drop("/acme/a").follow(since="yesterday")),
        (InvalidInput, lambda api: api.drop("/acme/a").follow(since=None)),
    ],
)
def test_what_cannot_be_followed_is_refused_at_the_call(
    api: API, flow: str, error: type[Exception], call: Any
) -> None:
    with pytest.raises(error):
        call(api)


def test_a_closed_follower_says_so(api: API, flow: str) -> None:
    follower = api.drop(flow).follow()
    follower.close()
    follower.close()
    with pytest.raises(ConfigurationError, match="closed"):
        next(follower)


def test_a_follower_that_is_forgotten_is_ended(api: API, flow: str) -> None:
    api.drop(flow).follow()
    with api.drop(flow).follow() as follower:
        create(api, flow, 1)
        assert numbers(follower, 1) == [1]


def test_under_lazy_and_async(api: API, flow: str) -> None:
    lazy = api.lazy()
    made = lazy.flow.create({"path": "/acme/lazy"})
    with lazy.drop(made).follow(timeout=WAIT) as follower:
        api.drop("/acme/lazy").create({"elems": {"n": 1}})
        assert next(follower)["elems"] == {"n": 1}
    with api.async_().drop(flow).follow(timeout=WAIT) as follower:
        create(api, flow, 2)
        assert next(follower)["elems"] == {"n": 2}


def test_many_followers_in_threads_of_their_own(api: API, flow: str) -> None:
    found: list[list[int]] = [[] for _ in range(8)]
    followers = [api.drop(flow).follow(timeout=WAIT) for _ in found]

    def follow(index: int) -> None:
        for drop in followers[index]:
            found[index].append(drop["elems"]["n"])
            if drop["elems"]["n"] == 99:
                return

    threads = [threading.Thread(target=follow, args=(index,)) for index in range(len(found))]
    for thread in threads:
        thread.start()
    create(api, flow, *range(100))
    for thread in threads:
        thread.join(WAIT)
    for follower in followers:
        follower.close()
    assert found == [list(range(100))] * 8


def test_concurrent_creates_come_once_each(api: API, flow: str) -> None:
    with api.drop(flow).follow() as follower:
        here = detect()
        threads = [here.spawn(create, api, flow, *range(n, n + 25)) for n in range(0, 200, 25)]
        for thread in threads:
            here.get(thread)
        drops = [follower.get(WAIT) for _ in range(200)]
        assert follower.get(0) is None
    assert sorted(drop["elems"]["n"] for drop in drops if drop) == list(range(200))


@pytest.mark.needs("green", "only green threads are interrupted")
def test_an_interrupted_wait_loses_nothing(api: API, flow: str) -> None:
    from flowthings_like.errors import DeadlineExceeded

    found: list[int] = []
    stopped = threading.Event()

    def write() -> None:
        for n in range(60):
            create(api, flow, n)
        stopped.set()

    with api.drop(flow).follow() as follower:
        writer = threading.Thread(target=write)
        writer.start()
        while len(found) < 60:
            try:
                with detect().deadline(0.003):
                    drop = next(follower)
            except DeadlineExceeded:
                continue
            found.append(drop["elems"]["n"])
        writer.join()
        assert follower.get(0) is None
    assert found == list(range(60))


def test_a_restricted_token_follows_what_it_may_read_and_no_more(api: API, flow: str) -> None:
    api.flow.create({"path": "/acme/b"})
    token = api.token.create({"paths": {"/acme/a": {"dropRead": True}}})
    master = api.creds
    api.creds = Token("acme", token["tokenString"])
    with api.drop(flow).follow() as follower:
        with pytest.raises(FlowThingsForbidden):
            api.drop("/acme/b").follow()
        api.creds = master
        create(api, flow, 1)
        assert numbers(follower, 1) == [1]
        api.token.delete(token["id"])
        create(api, flow, 2)
        with pytest.raises(FlowThingsForbidden):
            follower.get(WAIT)


def test_a_follower_that_waits_ends_with_its_api(tmp_path: Path) -> None:
    ended: list[Exception] = []

    def wait(follower: Follower[Any]) -> None:
        try:
            next(follower)
        except Exception as error:
            ended.append(error)

    with API.embedded(tmp_path) as api:
        follower = api.drop(api.flow.create({"path": "/acme/a"})["id"]).follow()
        waiting = threading.Thread(target=wait, args=(follower,))
        waiting.start()
    waiting.join(WAIT)
    assert not waiting.is_alive()
    assert isinstance(ended[0], ConfigurationError)


# The seed's client


def run(api: API, until: int, **handlers: Any) -> None:
    """Run a client until `until` messages have come."""
    seen: list[int] = []
    on_message = handlers.pop("on_message")

    def counted(ws: Any, resource: str, drop: Any) -> None:
        on_message(ws, resource, drop)
        seen.append(1)
        if len(seen) == until:
            ws.close()

    client = api.websocket.connect(on_message=counted, **handlers)
    timer = threading.Thread(target=lambda: (time.sleep(WAIT), client.close()), daemon=True)
    timer.start()
    client.run()
    assert len(seen) == until


def test_the_callbacks_of_the_seed(api: API, flow: str) -> None:
    said: list[Any] = []

    def on_open(ws: Any) -> None:
        ws.subscribe(flow, lambda ws, body: said.append(("subscribed", body)))
        ws.subscribe("/acme/a", lambda ws, body: create(api, flow, 1))

    run(
        api,
        2,
        on_open=on_open,
        on_message=lambda ws, resource, drop: said.append((resource, drop["elems"])),
        on_close=lambda ws: said.append("closed"),
        on_error=lambda ws, error: said.append(error),
    )
    assert said[0] == ("subscribed", {})
    assert sorted(said[1:3]) == [("/acme/a", {"n": 1}), (flow, {"n": 1})]
    assert said[3:] == ["closed"]


def test_requests_over_the_socket(api: API, flow: str) -> None:
    made = create(api, flow, 1, 2)
    said: dict[str, Any] = {}

    def ask(ws: Any, name: str, **message: Any) -> None:
        ws.send(message, lambda ws, body: said.update({name: body}))

    def on_open(ws: Any) -> None:
        first = made[0]["id"]
        ask(ws, "create", object="drop", type="create", flowId=flow, value={"elems": {"n": 3}})
        ask(ws, "by path", object="drop", type="create", value={"path": "/acme/a", "elems": {"n": 4}})
        ask(ws, "find", object="drop", type="find", id=[flow, first])
        ask(ws, "update", object="drop", type="update", flowId=flow, id=first, value={"elems": {"n": 5}})
        options = {"filter": "elems.n > 2", "limit": 2, "order": "asc", "skip": "1"}
        ask(ws, "findmany", object="drop", type="findmany", flowId=flow, options=options)
        ask(ws, "delete", object="drop", type="delete", id=[flow, made[1]["id"]])
        ask(ws, "flow", object="flow", type="create", value={"path": "/acme/new"})
        ask(ws, "tasks", object="api_task", type="findmany")
        ask(ws, "none", object="drop", type="find", flowId=flow, id="d" + "0" * 24)
        ask(ws, "what", object="drop", type="paint")
        ws.subscribe(flow, lambda ws, body: create(api, flow, 6))

    run(api, 1, on_open=on_open, on_message=lambda *_: None, on_error=lambda *_: None)
    assert said["create"]["elems"] == {"n": 3}
    assert said["by path"]["path"] == "/acme/a"
    assert said["find"]["id"] == made[0]["id"]
    assert said["update"]["elems"] == {"n": 5}
    assert [drop["elems"]["n"] for drop in said["findmany"]] == [3, 4]
    assert said["delete"] == {}
    assert said["flow"]["path"] == "/acme/new"
    assert said["tasks"] == []
    assert isinstance(said["none"], FlowThingsNotFound)
    assert isinstance(said["what"], FlowThingsBadRequest)
    assert made[1]["id"] not in api.drop(flow).read_many([made[1]["id"]])


def test_what_is_unsubscribed_does_not_come(api: API, flow: str) -> None:
    other = api.flow.create({"path": "/acme/b"})["id"]
    found: list[str] = []

    def on_open(ws: Any) -> None:
        ws.subscribe(flow)
        ws.subscribe(other)
        ws.unsubscribe(flow, lambda ws, body: (create(api, flow, 1), create(api, other, 2)))

    run(api, 1, on_open=on_open, on_message=lambda ws, resource, drop: found.append(resource))
    assert found == [other]

"""No write is lost or done twice when a proxy closes connections after the server got the request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API, ConnectionFailed, FlowThingsNotFound, Retry, Token
from flowthings_like.testing import Fault, FaultProxy, Server, sometimes

from ...platform.rest.served import Served

STUBBORN = Retry(attempts=30, base=0.001, most=0.01)
CREATES = 1000
CALLERS = 8


def in_turns(count: int, work: Callable[[int], Any]) -> list[Any]:
    """`work(n)` for each number below `count`, from several threads of the backend."""
    results: list[Any] = [None] * count
    failures: list[BaseException] = []

    def caller(first: int) -> None:
        try:
            for number in range(first, count, CALLERS):
                results[number] = work(number)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=caller, args=(first,)) for first in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def everything(api: API, flow: str) -> dict[str, Any]:
    return {drop["id"]: drop for drop in api.drop(flow).find(limit=100_000)}


@pytest.mark.parametrize("reset", [False, True])
def test_a_thousand_creates(flowthings_server: Server, flowthings_proxy: FaultProxy, reset: bool) -> None:
    with flowthings_server.api(host=flowthings_proxy.address, retry=STUBBORN) as api:
        flow = api.flow.create({"path": "/acme/a", "capacity": 10_000})["id"]
        flowthings_proxy.plan = sometimes(Fault.lose_answer(reset=reset), 0.3, seed=7)
        made = in_turns(CREATES, lambda number: api.drop(flow).create({"elems": {"n": number}}))
        flowthings_proxy.plan = None
        assert [drop["elems"]["n"] for drop in made] == list(range(CREATES))
        stored = everything(api, flow)
        assert stored == {drop["id"]: drop for drop in made}
        assert len(stored) == CREATES
        counted = api.statistics.flow_drop_added(flow)
        assert sum(counted) == CREATES
    assert flowthings_proxy.counts["lose_answer"] > CREATES / 5


def test_answers_that_end_half_way(flowthings_server: Server, flowthings_proxy: FaultProxy) -> None:
    with flowthings_server.api(host=flowthings_proxy.address, retry=STUBBORN) as api:
        flow = api.flow.create({"path": "/acme/a", "capacity": 10_000})["id"]
        cuts = {n: Fault.lose_answer(after=n * 7) for n in range(1, 90, 2)}
        flowthings_proxy.plan = lambda number: cuts.get(number % 90)
        made = in_turns(200, lambda number: api.drop(flow).create({"elems": {"n": number}}))
        flowthings_proxy.plan = None
        assert everything(api, flow) == {drop["id"]: drop for drop in made}
        assert len(made) == 200


def test_requests_that_end_half_way(flowthings_server: Server, flowthings_proxy: FaultProxy) -> None:
    with flowthings_server.api(host=flowthings_proxy.address, retry=STUBBORN) as api:
        flow = api.flow.create({"path": "/acme/a", "capacity": 10_000})["id"]
        cuts = {n: Fault.lose_request(after=n * 9) for n in range(0, 60, 2)}
        flowthings_proxy.plan = lambda number: cuts.get(number % 61)
        made = in_turns(150, lambda number: api.drop(flow).create({"elems": {"n": number}}))
        flowthings_proxy.plan = None
        assert everything(api, flow) == {drop["id"]: drop for drop in made}
        assert len(made) == 150


def test_updates_and_deletes(flowthings_server: Server, flowthings_proxy: FaultProxy) -> None:
    with flowthings_server.api(host=flowthings_proxy.address, retry=STUBBORN) as api:
        flow = api.flow.create({"path": "/acme/a", "capacity": 10_000})["id"]
        drops = api.drop(flow).create_many([{"elems": {"n": number}} for number in range(300)])
        flowthings_proxy.plan = sometimes(Fault.lose_answer(), 0.3, seed=8)

        def change(number: int) -> Any:
            id = drops[number]["id"]
            if number % 3 == 0:
                return api.drop(flow).delete(id)
            if number % 3 == 1:
                return api.drop(flow).update({"id": id, "elems": {"n": -number}})
            return api.drop(flow).update_member(id, "elems.n", number + 1000)

        answers = in_turns(300, change)
        # The second call has a key of its own, and there is nothing left to delete.
        with pytest.raises(FlowThingsNotFound):
            api.drop(flow).delete(drops[0]["id"])
        flowthings_proxy.plan = None
        assert answers[0::3] == [{}] * 100
        assert everything(api, flow) == {
            answer["id"]: answer for number, answer in enumerate(answers) if number % 3
        }
        assert [answers[number]["elems"]["n"] for number in (1, 2, 4, 5)] == [-1, 1002, -4, 1005]


def test_bulk_creates_are_whole(flowthings_server: Server, flowthings_proxy: FaultProxy) -> None:
    with flowthings_server.api(host=flowthings_proxy.address, retry=STUBBORN) as api:
        flow = api.flow.create({"path": "/acme/a", "capacity": 10_000})["id"]
        flowthings_proxy.plan = sometimes(Fault.lose_answer(), 0.4, seed=9)
        made = in_turns(
            24,
            lambda n: api.drop(flow).create_many([{"elems": {"n": n * 100 + each}} for each in range(100)]),
        )
        flowthings_proxy.plan = None
        assert everything(api, flow) == {drop["id"]: drop for batch in made for drop in batch}
        assert len(everything(api, flow)) == 2400


def test_without_retries_a_lost_answer_is_an_error_that_does_not_know(
    flowthings_server: Server, flowthings_proxy: FaultProxy
) -> None:
    with flowthings_server.api(host=flowthings_proxy.address, retry=False) as api:
        flow = api.flow.create({"path": "/acme/a"})["id"]
        flowthings_proxy.once(Fault.lose_answer())
        with pytest.raises(ConnectionFailed) as caught:
            api.drop(flow).create({"elems": {"n": 1}})
        assert caught.value.sent
        assert caught.value.retryable
        assert api.creds.token not in str(caught.value)
        assert len(everything(api, flow)) == 1


def test_a_server_that_is_killed_between_attempt_and_retry(tmp_path: Path) -> None:
    """kill -9 after the write and before its answer; another process gets the retry."""
    running = Served(tmp_path / "data")
    token = running.token
    try:
        with (
            FaultProxy(running.url.removeprefix("http://")) as proxy,
            API(Token("acme", token), host=proxy.address, secure=False, timeout=60) as api,
        ):
            kills = []

            def restart(seconds: float) -> None:
                nonlocal running
                running.kill()
                kills.append(seconds)
                running = Served(tmp_path / "data")
                proxy.upstream = running.url.removeprefix("http://")
                proxy.plan = None

            def lose_answers() -> None:
                proxy.plan = lambda number: Fault.lose_answer()

            flow = api.flow.create({"path": "/acme/a"})["id"]
            api._connection.clock.sleep = restart  # type: ignore[method-assign]
            lose_answers()
            drop = api.drop(flow).create({"elems": {"n": 1}})
            assert everything(api, flow) == {drop["id"]: drop}
            lose_answers()
            changed = api.drop(flow).update({"id": drop["id"], "elems": {"n": 2}})
            assert everything(api, flow) == {drop["id"]: changed}
            lose_answers()
            assert api.drop(flow).delete(drop["id"]) == {}
            assert everything(api, flow) == {}
            assert len(kills) == 3
    finally:
        running.stop()

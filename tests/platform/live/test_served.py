"""Live messages of servers in processes of their own: several workers, kills, restarts, TLS."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API, Token
from flowthings_like.green import detect
from flowthings_like.services.rest.follower import Follower
from tests.platform.rest.served import Served

from .harness import PATIENCE, wire

WAIT = 30.0


def api_of(server: Served, token: str, **options: Any) -> API:
    return API(Token("acme", token), host=f"127.0.0.1:{server.port}", secure=False, **options)


def following(follower: Follower[Any], count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        drop = follower.get(WAIT)
        assert drop is not None, f"{len(found)} of {count} have come"
        found.append(drop["elems"]["n"])
    return found


def test_workers_push_what_any_process_creates(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "2") as server, API.embedded(tmp_path) as beside:
        flow = beside.flow.create({"path": "/acme/a", "capacity": 10_000})["id"]
        apis = [api_of(server, server.token) for _ in range(4)]
        followers = [api.drop(flow).follow() for api in apis]
        embedded = beside.drop(flow).follow()
        writers = [*apis, beside]
        here = detect()
        numbers = itertools.count()

        def write(api: API) -> None:
            for _ in range(40):
                api.drop(flow).create({"elems": {"n": next(numbers)}})

        threads = [here.spawn(write, api) for api in writers]
        for thread in threads:
            here.get(thread)
        stored = [drop["elems"]["n"] for drop in beside.drop(flow).find(limit=1000)]
        orders = [following(follower, 200) for follower in (*followers, embedded)]
        assert sorted(stored) == list(range(200))
        for order in orders:
            assert order == orders[0], "every follower gets the same order"
        assert sorted(orders[0]) == sorted(stored)
        for follower in (*followers, embedded):
            assert follower.get(0) is None
            follower.close()
        for api in apis:
            api.close()


def test_a_server_is_killed_again_and_again_and_nothing_is_lost_or_comes_twice(tmp_path: Path) -> None:
    stopping = threading.Event()
    written = itertools.count()
    last = [0]

    def write() -> None:
        while not stopping.is_set():
            last[0] = next(written)
            beside.drop(flow).create({"elems": {"n": last[0]}})
            time.sleep(0.002)

    with API.embedded(tmp_path) as beside:
        flow = beside.flow.create({"path": "/acme/a", "capacity": 100_000})["id"]
        server = Served(tmp_path)
        token, port = server.token, str(server.port)
        api = api_of(server, token)
        found: list[int] = []
        with api.drop(flow).follow() as follower:
            writer = threading.Thread(target=write)
            writer.start()
            try:
                for _ in range(3):
                    found += following(follower, 50)
                    server.kill()
                    time.sleep(0.1)
                    server = Served(tmp_path, "--port", port)
                found += following(follower, 50)
            finally:
                stopping.set()
                writer.join()
            found += following(follower, last[0] + 1 - len(found))
            assert follower.get(0) is None
            assert found == list(range(last[0] + 1))
        api.close()
        server.stop()


def test_the_callbacks_of_the_seed_over_a_restart(tmp_path: Path) -> None:
    with API.embedded(tmp_path) as beside:
        flow = beside.flow.create({"path": "/acme/a"})["id"]
        server = Served(tmp_path)
        api = api_of(server, server.token)
        said: list[Any] = []

        def on_message(ws: Any, resource: str, drop: Any) -> None:
            said.append(drop["elems"]["n"])
            if drop["elems"]["n"] == 2:
                ws.close()

        client = api.websocket.connect(
            on_open=lambda ws: said.append("open"),
            on_message=on_message,
            on_close=lambda ws: said.append("closed"),
            on_error=lambda ws, error: said.append(type(error).__name__),
        )
        client.subscribe(flow, lambda ws, body: said.append("subscribed"))
        running = threading.Thread(target=client.run)
        running.start()

        def wait_for(what: Any) -> None:
            until = time.monotonic() + WAIT
            while what not in said:
                assert time.monotonic() < until, said
                time.sleep(0.005)

        wait_for("subscribed")
        beside.drop(flow).create({"elems": {"n": 1}})
        wait_for(1)
        port = str(server.port)
        server.kill()
        wait_for("closed")
        said.clear()
        server = Served(tmp_path, "--port", port)
        wait_for("open")
        while 2 not in said:  # it subscribes again by itself
            beside.drop(flow).create({"elems": {"n": 2}})
            time.sleep(0.05)
        running.join(WAIT)
        assert not running.is_alive()
        api.close()
        server.stop()


@pytest.mark.once
def test_clients_do_not_hold_up_the_end_of_a_server(tmp_path: Path) -> None:
    with Served(tmp_path) as server:
        token = server.token
        with wire(server.url, token) as first, wire(server.url, token) as second:
            first.say(type="heartbeat")
            began = time.monotonic()
            assert server.stop(signal.SIGTERM) == 0
            assert time.monotonic() - began < PATIENCE
            assert first.ending() == (1001, "the platform is closed")
            assert second.ending() == (1001, "the platform is closed")
        assert not server.errors


@pytest.mark.once
def test_over_tls(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = map(str, certificate)
    with Served(tmp_path / "data", "--certfile", cert, "--keyfile", key) as server:
        api = API(Token("acme", server.token), host=f"127.0.0.1:{server.port}", verify_ssl=cert)
        flow = api.flow.create({"path": "/acme/a"})["id"]
        with api.drop(flow).follow() as follower:
            for n in range(20):
                api.drop(flow).create({"elems": {"n": n, "text": "x" * 100_000}})
            assert following(follower, 20) == list(range(20))
        api.close()

"""HTTP clients, each as a function that makes one GET, and ways to make many: at once and in turn."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks._nginx import ACCOUNT, TOKEN

IN_FLIGHT = 64
WARM_UP = 500
PATH = f"/v4.0/{ACCOUNT}/flow"


def address() -> str:
    """Where the server of this run is."""
    return os.environ["BENCHMARK_SERVER"]


def url() -> str:
    return f"http://{address()}{PATH}"


def at_once(get: Callable[[], object], calls: int) -> float:
    """CPU microseconds for one call, IN_FLIGHT of them under way at any time."""
    from flowthings_like.green.backends import choice as backend

    def caller(many: int) -> None:
        for _ in range(many):
            get()

    library = backend.detect()

    def run(many: int) -> None:
        for thread in [library.spawn(caller, many // IN_FLIGHT) for _ in range(IN_FLIGHT)]:
            library.get(thread)

    run(WARM_UP)
    started = time.process_time()
    run(calls)
    return (time.process_time() - started) / (calls // IN_FLIGHT * IN_FLIGHT) * 1e6


def in_turn(get: Callable[[], object], calls: int) -> float:
    """CPU microseconds for one call, one after the other."""
    for _ in range(WARM_UP // 5):
        get()
    started = time.process_time()
    for _ in range(calls):
        get()
    return (time.process_time() - started) / calls * 1e6


def in_coroutines(get: Callable[[], Awaitable[object]], calls: int, in_flight: int) -> Awaitable[float]:
    """The same two for asyncio."""
    import asyncio

    async def caller(many: int) -> None:
        for _ in range(many):
            await get()

    async def run() -> float:
        await asyncio.gather(*(caller(WARM_UP // IN_FLIGHT) for _ in range(in_flight)))
        started = time.process_time()
        await asyncio.gather(*(caller(calls // in_flight) for _ in range(in_flight)))
        return (time.process_time() - started) / (calls // in_flight * in_flight) * 1e6

    return run()


def requests_session() -> Callable[[], object]:
    import requests

    session, where = requests.Session(), url()
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=IN_FLIGHT)
    session.mount("http://", adapter)
    return lambda: session.get(where, timeout=30).content


def requests_alone() -> Callable[[], object]:
    import requests

    where = url()
    return lambda: requests.get(where, timeout=30).content


def urllib3_manager() -> Callable[[], object]:
    import urllib3

    manager, where = urllib3.PoolManager(maxsize=IN_FLIGHT), url()
    return lambda: manager.request("GET", where, timeout=30.0).data


def geventhttpclient_raw() -> Callable[[], object]:
    from geventhttpclient import HTTPClient

    host, _, port = address().partition(":")
    client = HTTPClient(host, int(port), concurrency=IN_FLIGHT, connection_timeout=30, network_timeout=30)
    return lambda: client.get(PATH).read()


def native_transport() -> Callable[[], object]:
    from flowthings_like.transport.http.native_transport import NativeTransport
    from flowthings_like.transport.retry import as_timeout
    from flowthings_like.wire.http import header_lines

    transport, where, timeout = NativeTransport(), url(), as_timeout(30)
    lines = header_lines({"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "benchmark"})
    return lambda: transport.handle("GET", where, lines, timeout=timeout).body


def api_find(**options: Any) -> Callable[[], object]:
    from flowthings_like import API, Token

    api = API(Token(ACCOUNT, TOKEN), host=address(), secure=False, **options)
    return api.flow.find


def api_requests_transport() -> Callable[[], object]:
    return api_find(transport="requests")


def session_find() -> Callable[[], object]:
    """What `api.flow.find` amounts to, written by hand on requests."""
    import requests

    session, where = requests.Session(), url()
    session.headers.update({"X-Auth-Token": TOKEN, "X-Auth-Account": ACCOUNT})
    return lambda: session.get(where, timeout=30).json()["body"]


def grequests_map(calls: int) -> float:
    """grequests in its own words: a batch of requests, so many of them at once."""
    import grequests
    import requests

    session, where = requests.Session(), url()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=IN_FLIGHT))

    def run(many: int) -> None:
        grequests.map((grequests.get(where, session=session) for _ in range(many)), size=IN_FLIGHT)

    run(WARM_UP)
    started = time.process_time()
    run(calls)
    return (time.process_time() - started) / calls * 1e6


def httpx_async(calls: int, in_flight: int) -> float:
    import asyncio

    import httpx

    async def run() -> float:
        limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
        async with httpx.AsyncClient(limits=limits, timeout=30) as client:
            return await in_coroutines(lambda: client.get(url()), calls, in_flight)

    return asyncio.run(run())


def aiohttp_async(calls: int, in_flight: int) -> float:
    import asyncio

    import aiohttp

    async def run() -> float:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as client:

            async def get() -> bytes:
                async with client.get(url()) as answer:
                    return await answer.read()

            return await in_coroutines(get, calls, in_flight)

    return asyncio.run(run())

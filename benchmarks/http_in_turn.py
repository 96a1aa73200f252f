"""The same GET, one after the other, without a green library and with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks import _clients
from benchmarks._nginx import nginx

TITLE = "one GET, one after the other"
UNIT = "CPU us"
PEER = "requests.Session"
SERVER = nginx
FEW, MANY = 2_000, 10_000


def measured(client: Callable[[], Callable[[], object]], calls: int) -> Callable[[Path], float]:
    return lambda folder: _clients.in_turn(client(), calls)


CONTENDERS = {
    PEER: measured(_clients.requests_session, FEW),
    "requests.get": measured(_clients.requests_alone, FEW // 2),
    "urllib3": measured(_clients.urllib3_manager, FEW),
    "httpx, asyncio": lambda folder: _clients.httpx_async(FEW, 1),
    "aiohttp, asyncio": lambda folder: _clients.aiohttp_async(MANY, 1),
    "geventhttpclient raw, gevent": measured(_clients.geventhttpclient_raw, MANY),
    "native transport": measured(_clients.native_transport, MANY),
    "native transport, gevent": measured(_clients.native_transport, MANY),
    "native transport, eventlet": measured(_clients.native_transport, MANY),
    "api.flow.find": measured(_clients.api_find, MANY),
    "api.flow.find, requests transport": measured(_clients.api_requests_transport, FEW),
}

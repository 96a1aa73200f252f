"""One GET of 476 bytes of JSON over keep-alive connections, 64 in flight, nginx on the other core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks import Target, _clients
from benchmarks._nginx import nginx

TITLE = "one GET, 64 in flight"
UNIT = "CPU us"
PEER = "requests.Session, gevent"
SERVER = nginx
FEW, MANY = 3_000, 20_000


def measured(client: Callable[[], Callable[[], object]], calls: int) -> Callable[[Path], float]:
    return lambda folder: _clients.at_once(client(), calls)


CONTENDERS = {
    PEER: measured(_clients.requests_session, FEW),
    "requests.Session, eventlet": measured(_clients.requests_session, FEW),
    "requests.Session, threads": measured(_clients.requests_session, FEW),
    "grequests, gevent": lambda folder: _clients.grequests_map(FEW),
    "urllib3, gevent": measured(_clients.urllib3_manager, FEW),
    "httpx, asyncio": lambda folder: _clients.httpx_async(FEW, _clients.IN_FLIGHT),
    "aiohttp, asyncio": lambda folder: _clients.aiohttp_async(MANY, _clients.IN_FLIGHT),
    "geventhttpclient raw, gevent": measured(_clients.geventhttpclient_raw, MANY),
    "native transport, gevent": measured(_clients.native_transport, MANY),
    "native transport, eventlet": measured(_clients.native_transport, MANY),
    "native transport, threads": measured(_clients.native_transport, MANY),
    "api.flow.find, gevent": measured(_clients.api_find, MANY),
    "api.flow.find, eventlet": measured(_clients.api_find, MANY),
    "api.flow.find, threads": measured(_clients.api_find, MANY),
    "… requests transport, gevent": measured(_clients.api_requests_transport, FEW),
    "… requests transport, eventlet": measured(_clients.api_requests_transport, FEW),
    "… requests transport, threads": measured(_clients.api_requests_transport, FEW),
}
TARGETS = [
    Target("native transport, gevent", PEER, at_most=1 / 12),
    Target("native transport, gevent", "geventhttpclient raw, gevent", at_most=0.8),
    Target("native transport, eventlet", "requests.Session, eventlet", at_most=1 / 8),
    Target("native transport, threads", "requests.Session, threads", at_most=1 / 8),
]

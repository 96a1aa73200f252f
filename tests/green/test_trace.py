"""How many files a reader has to open to follow one lazy read from the call to its first use."""

import pytest

from flowthings_like.green import detect
from flowthings_like.testing.server import Server
from tests.services.support import envelope, make_api

from .trace import traced

BACKEND = detect()

MOST_OVER_HTTP = 30
MOST_WITH_A_FUNCTION = 18  # the scope of a request is one of them
BOTH_WAYS = {
    ("green/backends/_eventlet.py", "green/backends/bounded_pool.py"),
    ("green/backends/_gevent.py", "green/backends/bounded_pool.py"),
    ("transport/http/client.py", "transport/retry.py"),
}
"""Pairs of files that call each other; none is to be added."""


def one_read(api, flow, ids):
    """The trace of a read, the second one through a lazy object."""
    lazy = api.lazy()
    assert lazy.drop(flow).read(ids[0])["elems"] == {"n": 0}
    if BACKEND.name == "threads":  # threads that are traced from their beginning
        lazy._batcher._internal_pool = type(BACKEND.internal_pool())(BACKEND, 4)
    with traced() as trace:
        assert lazy.drop(flow).read(ids[1])["elems"] == {"n": 1}
    return trace


@pytest.fixture
def api(tmp_path):
    with Server(tmp_path) as server, server.api() as api:
        yield api


def test_a_read_over_http(api):
    flow = api.flow.create({"path": "/acme/traced"})["id"]
    ids = [drop["id"] for drop in api.drop(flow).create_many([{"elems": {"n": n}} for n in range(2)])]
    trace = one_read(api, flow, ids)
    assert len(trace.files) <= MOST_OVER_HTTP, trace.report()
    assert set(trace.both_ways()) <= BOTH_WAYS


def test_a_read_that_the_callers_function_sends():
    def send(method, url, params=None, data=None, creds=None):
        return envelope({"elems": {"n": int(url[-1])}}), {}, 200

    trace = one_read(make_api(request=send), "f", ["0", "1"])
    assert len(trace.files) <= MOST_WITH_A_FUNCTION, trace.report()
    assert set(trace.both_ways()) <= BOTH_WAYS

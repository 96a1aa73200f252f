"""A fork during calls: the parent gets the answers, and the child's copies of the calls fail."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests

from flowthings_like import API, ConnectionFailed, Retry, Token
from flowthings_like.green import detect
from tests.forked import forked
from tests.services.support import Answer, Seen, serving

CREDS = Token("acc", "tok")
WAYS = ["auto", "requests", "session"]
green = pytest.mark.needs("green", "a fork copies no other OS thread")


def api_for(way: str, address: str, **options: Any) -> API:
    if way == "session":
        options["session"] = requests.Session()
    else:
        options["transport"] = way
    return API(CREDS, host=address, timeout=30, **{"secure": False, **options})


class Slow:
    """Answers to /slow… when told to."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.released = threading.Event()

    def __call__(self, seen: Seen) -> Answer:
        if "/slow" in seen.target:
            self.arrived.release()
            self.released.wait(30)
        name = seen.target.rpartition("/")[2].encode()
        return Answer(body=b'{"head": {"ok": true}, "body": "%b"}' % name)


def copies_fail(threads: list[Any]) -> None:
    """In the child: each copy of a call ends, and says why."""
    for thread in threads:
        with pytest.raises(ConnectionFailed, match="forked while it was under way") as caught:
            detect().get(thread, 20)
        assert not caught.value.retryable
        assert CREDS.token not in str(caught.value)


@green
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("warm", [False, True], ids=["new", "reused"])
@pytest.mark.parametrize("way", WAYS)
def test_a_child_takes_no_answer_of_its_parents(way: str, warm: bool, tls: bool, certificate: Any) -> None:
    slow = Slow()
    with serving(slow, tls=certificate if tls else None) as server:
        options = {"secure": True, "verify_ssl": str(certificate[0])} if tls else {}
        api = api_for(way, server.address, **options)
        if warm:
            api.flow.read("first")
        calls = [detect().spawn(api.flow.read, f"slow{number}") for number in range(4)]
        for _ in calls:
            assert slow.arrived.acquire(timeout=20)
        before = len(server.seen)

        def child() -> None:
            # The copies run as soon as the child's hub does, and before the parent is answered.
            copies_fail(calls) if detect().name == "gevent" else time.sleep(0.2)

        came = forked(child)
        assert came() == "fine"
        assert len(server.seen) == before  # none of the copies has asked again
        again = forked(lambda: time.sleep(1.0))
        slow.released.set()
        assert [detect().get(call, 20) for call in calls] == ["slow0", "slow1", "slow2", "slow3"]
        assert again() == "fine"
        assert len(server.seen) == before
        api.close()


@green
def test_a_copied_call_that_pauses_or_waits_sends_nothing() -> None:
    slow = Slow()
    with serving(lambda seen: Answer(503) if "busy" in seen.target else slow(seen)) as server:
        pausing = api_for("auto", server.address, retry=Retry(attempts=2, base=600.0, most=600.0))
        pause = detect().spawn(pausing.flow.read, "busy", timeout=1000)
        queued = api_for("auto", server.address)
        queued.flow.read("first")
        queued.pools[0].size = 1
        calls = [detect().spawn(queued.flow.read, f"slow{number}") for number in range(3)]
        assert slow.arrived.acquire(timeout=20)
        began = time.monotonic()
        while len(server.seen) < 3:  # the first, the one that is busy, and one that is slow
            assert time.monotonic() - began < 20
            time.sleep(0.01)
        before = len(server.seen)
        came = forked(lambda: time.sleep(1.5))
        assert came() == "fine"
        assert len(server.seen) == before
        slow.released.set()
        assert [detect().get(call, 20) for call in calls] == ["slow0", "slow1", "slow2"]
        detect().kill(pause)
        pausing.close()
        queued.close()


@pytest.mark.parametrize("way", WAYS)
def test_parent_and_child_go_on_by_themselves(way: str) -> None:
    slow = Slow()
    with serving(slow) as server:
        api = api_for(way, server.address)
        call = detect().spawn(api.flow.read, "slow")
        assert slow.arrived.acquire(timeout=20)
        if way == "session":
            came = forked(lambda: None)  # the caller's session is the caller's to replace in a child
        else:
            came = forked(lambda: [api.flow.read("child") for _ in range(3)])
        assert came() == "fine"
        slow.released.set()
        assert detect().get(call, 20) == "slow"
        assert [api.flow.read("parent") for _ in range(3)] == ["parent"] * 3
        api.close()

"""`lazy.cancel()`: the calls that are not done are stopped, as far as they can be."""

from __future__ import annotations

from typing import Any

import pytest

from flowthings_like import CallCancelled, force
from flowthings_like.green import LazyAPI, detect

from ..fakes import Api, until


@pytest.mark.needs("green", "a call in an OS thread cannot be interrupted")
def test_calls_of_a_block_are_killed_and_the_object_can_be_used_again() -> None:
    api = Api()
    lazy: Any = LazyAPI(api)
    with lazy:
        waiting = [lazy.flow.wait(detect().event()) for _ in range(3)]
        done = lazy.flow.give("done")
        until(lambda: api.flow.running == 3)
        assert force(done) == "done"
        lazy.cancel()
        assert api.flow.running == 0  # their `finally` blocks have run
        for thunk in waiting:
            with pytest.raises(CallCancelled):
                force(thunk)
        assert force(lazy.flow.give("again")) == "again"
    assert force(done) == "done"


@pytest.mark.needs("threads", "green threads are killed")
def test_queued_calls_of_os_threads_are_dropped_and_the_others_go_on() -> None:
    api, event = Api(), detect().event()
    lazy: Any = LazyAPI(api, None, 1)
    with lazy:
        first = lazy.flow.wait(event, "first")
        queued = [lazy.flow.give(number) for number in range(3)]
        until(lambda: api.flow.running == 1)
        lazy.cancel()
        event.set()
        for thunk in queued:
            with pytest.raises(CallCancelled):
                force(thunk)
        assert force(first) == "first"
    assert api.flow.count == 0


def test_an_object_without_calls_can_be_cancelled() -> None:
    lazy: Any = LazyAPI(Api())
    lazy.cancel()
    assert force(lazy.flow.give(1)) == 1
    lazy.cancel()

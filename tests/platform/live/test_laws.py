"""A law of live messages: whoever follows a flow gets each drop once, in the order of arrival."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.platform.resources.drops import verbs
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.wire.live import Since, Start
from tests.platform.harness import ME, add_flow, until

from .test_feed import Host, Reader

STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["create", "create elsewhere"]), st.integers(1, 4)),
        st.tuples(st.sampled_from(["leave", "return", "read", "update", "delete", "empty"]), st.just(0)),
    ),
    max_size=25,
)


class Follower:
    """A reader that leaves and returns, and what it has got."""

    def __init__(self, host: Host, flow: str, filter: str) -> None:
        self._host, self._flow, self._filter = host, flow, filter
        self._since = Since(Start.NOW)
        self._reader: Reader | None = None
        self.got: list[int] = []
        self.come()

    def come(self) -> None:
        if self._reader is None:
            self._reader = self._host.follow(self._flow, self._since, self._filter)
            self.read()

    def leave(self) -> None:
        if self._reader is not None:
            self._reader.channel.close()
            self._reader = None

    def read(self) -> None:
        if self._reader is None:
            return
        for message in map(orjson.loads, self._reader.channel.receive(0.001)):
            if message.get("type") == "message":
                self.got.append(message["value"]["elems"]["n"])
                self._since = Since.parse({"cursor": message["cursor"]})
            else:
                cursor = message["body"]["cursor"]
                if self._since.start is Start.NOW:
                    self._since = Since.parse({"cursor": cursor})


@pytest.mark.sqlite("opens a platform for each of many examples")
@settings(max_examples=40)
@given(STEPS, st.sampled_from(["", "n % 2 == 0"]))
def test_each_drop_comes_once_in_the_order_of_arrival(steps: list[Any], filter: str) -> None:
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store, Store(Path(folder)) as other:
        flow = add_flow(store, "/acme/a", capacity=10_000)
        host = Host(store)
        follower = Follower(host, flow, filter)
        there: list[str] = []  # ids of the drops in the flow, in order
        must: list[int] = []
        may: set[int] = set()  # those that were deleted, perhaps before the follower could get them
        numbers: dict[str, int] = {}
        for kind, count in steps:
            if kind.startswith("create"):
                models = [{"elems": {"n": len(numbers) + index}} for index in range(count)]
                for made in verbs.create_many(other if "elsewhere" in kind else store, ME, flow, models):
                    n = numbers[made["id"]] = made["elems"]["n"]
                    there.append(made["id"])
                    if not (filter and n % 2):
                        must.append(n)
            elif kind == "leave":
                follower.leave()
            elif kind == "return":
                follower.come()
            elif kind == "read":
                follower.read()
            elif kind == "update" and there:
                verbs.update(store, ME, flow, there[-1], {"elems": {"n": numbers[there[-1]]}})
            elif kind == "delete" and there:
                gone = there.pop()
                verbs.delete(store, ME, flow, gone)
                may.add(numbers[gone])
            elif kind == "empty":
                may.update(numbers[gone] for gone in there)
                there.clear()
                verbs.delete_all(store, ME, flow)
        follower.come()
        needed = [n for n in must if n not in may]
        until(lambda: follower.read() or set(needed) <= set(follower.got))
        follower.read()
        assert len(follower.got) == len(set(follower.got)), "none comes twice"
        assert follower.got == sorted(follower.got), "in the order of arrival"
        assert set(needed) <= set(follower.got) <= set(must)
        follower.leave()
        host.feed.close()

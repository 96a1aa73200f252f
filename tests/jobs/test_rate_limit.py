from __future__ import annotations

import contextlib

from flowthings_like.green import detect
from flowthings_like.jobs import RateLimit


class FakeTime:
    """A clock that goes on when somebody sleeps. All sleep at the same time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.turns: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.turns.append(self.now + seconds)


def test_calls_are_spaced() -> None:
    time = FakeTime()
    limit = RateLimit(4, time.clock, time.sleep)
    for _ in range(4):
        limit.wait()
    assert time.turns == [100.25, 100.5, 100.75]
    time.now = 200.0  # what was not used is not made up for
    limit.wait()
    limit.wait()
    assert time.turns[3:] == [200.25]


def test_all_threads_share_it() -> None:
    time = FakeTime()
    limit = RateLimit(10, time.clock, time.sleep)
    pool = detect().pool(20)
    for thread in [pool.spawn(limit.wait) for _ in range(20)]:
        thread.get() if hasattr(thread, "get") else thread.wait()
    assert sorted(round(turn, 6) for turn in time.turns) == [round(100 + n / 10, 6) for n in range(1, 20)]


def test_who_is_interrupted_loses_a_turn() -> None:
    time = FakeTime()

    def interrupted(seconds: float) -> None:
        time.sleep(seconds)
        raise KeyboardInterrupt

    limit = RateLimit(1, time.clock, interrupted)
    limit.wait()
    for _ in range(3):
        with contextlib.suppress(KeyboardInterrupt):
            limit.wait()
    assert time.turns == [101.0, 102.0, 103.0]

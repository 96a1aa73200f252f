"""One pool in several OS threads, each of which has a hub of its own under gevent and eventlet."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from flowthings_like.green.backends.choice import detect
from tests.transport.test_hubs import native_thread

from .support import SERVER_DRIVERS, open_pool, until

CALLS = 40


class Elsewhere:
    """Something that runs in another OS thread."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.said: list[str] = []
        self._function = function
        native_thread(self._run)

    def _run(self) -> None:
        try:
            self._function()
        except BaseException:
            self.said.append(traceback.format_exc())
        else:
            self.said.append("fine")

    def check(self) -> None:
        until(lambda: self.said)
        assert self.said == ["fine"], self.said[0]


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_hubs_use_one_pool_at_once(
    driver: str, server_database: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    def crowd(first: int) -> None:
        def call(number: int) -> None:
            answers.append((number, int(pool.run_query(f"select {number}")[0][0])))

        threads = [detect().spawn(call, number) for number in range(first, first + CALLS)]
        for thread in threads:
            detect().get(thread, 60)

    answers: list[tuple[int, int]] = []
    with open_pool(driver, server_database, cp_min=1, cp_max=2) as pool:
        others = [Elsewhere(lambda first=first: crowd(first)) for first in (1000, 2000)]  # type: ignore[misc]
        crowd(0)
        for other in others:
            other.check()
        numbers = [*range(CALLS), *range(1000, 1000 + CALLS), *range(2000, 2000 + CALLS)]
        assert sorted(answers) == [(number, number) for number in numbers]
        assert pool.stats().open <= 2
        until(lambda: len(server_database.sessions()) == pool.stats().open)  # those of the others are closed
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("has_transaction", [False, True], ids=["idle", "in a transaction"])
@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_a_connection_is_given_back_in_another_os_thread(
    driver: str, has_transaction: bool, server_database: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Callers of the first thread wait for it, and none of them is told that it would wait for ever."""

    def call(number: int) -> None:
        answers.append(int(pool.run_query(f"select {number}")[0][0]))

    answers: list[int] = []
    with open_pool(driver, server_database, cp_min=1, cp_max=1) as pool:
        for round in range(3):
            connection = pool.connect()
            connection.cursor().execute("select 1")
            if not has_transaction:
                connection.commit()
            threads = [detect().spawn(call, 10 * round + number) for number in range(3)]
            until(lambda: pool.stats().waiting == 3)
            other = Elsewhere(connection.close)
            for thread in threads:
                detect().get(thread, 30)
            other.check()
        assert sorted(answers) == [0, 1, 2, 10, 11, 12, 20, 21, 22]
        stats = pool.stats()
        assert (stats.open, stats.waiting, stats.holders) == (1, 0, ())
        until(lambda: len(server_database.sessions()) == 1)
    assert capfd.readouterr().err == ""

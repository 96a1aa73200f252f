"""Which tasks are due, and in whose turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.resources import task_schedule
from flowthings_like.platform.resources.access.rights import Caller
from flowthings_like.platform.resources.base import verbs
from flowthings_like.platform.resources.base.registry import resources
from flowthings_like.platform.store.schema import task_runs

MINUTE = 60_000
HOUR = 60 * MINUTE
SOURCE = {"http": {"uri": "https://example.com/x.json"}}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with open_platform(tmp_path / "data", "acme") as opened:
        yield opened


def new_task(platform: Platform, account: str) -> str:
    caller = Caller(account, platform.accounts.ensure(account))
    model = {"destination": f"/{account}/x", "source": SOURCE}
    return str(verbs.create(platform.store, caller, resources()["api-task"], model)["id"])


def due(platform: Platform, per_account: int, most: int) -> list[str]:
    until = task_schedule.now_ms() + 1
    return [
        task.id
        for task in platform.store.read(
            lambda connection: task_schedule.due_tasks(connection, until, per_account, most)
        )
    ]


def test_no_account_keeps_another_waiting(platform: Platform) -> None:
    many = [new_task(platform, "many") for _ in range(10)]
    few = [new_task(platform, "few") for _ in range(2)]
    assert set(due(platform, 2, 100)) == {*many[:2], *few}
    assert set(due(platform, 10, 2)) == {many[0], few[0]}


def test_a_deleted_task_is_not_due(platform: Platform) -> None:
    id_ = new_task(platform, "acme")
    caller = Caller("acme", platform.accounts.ensure("acme"))
    verbs.delete(platform.store, caller, resources()["api-task"], id_)
    assert due(platform, 10, 10) == []


def test_tasks_of_an_earlier_version_are_adopted(platform: Platform) -> None:
    id_ = new_task(platform, "acme")
    platform.store.write(lambda connection: connection.execute(task_runs.delete()).rowcount)
    assert due(platform, 10, 10) == []
    for _ in range(2):
        platform.store.write(task_schedule.adopt)
        assert due(platform, 10, 10) == [id_]


@pytest.mark.parametrize(
    ("period", "failures", "retry_after", "wait"),
    [
        (MINUTE, 0, 0, MINUTE),
        (MINUTE, 1, 0, MINUTE),
        (MINUTE, 3, 0, 4 * MINUTE),
        (MINUTE, 10**6, 0, 24 * HOUR),
        (48 * HOUR, 5, 0, 48 * HOUR),
        (MINUTE, 1, 600, 10 * MINUTE),
        (MINUTE, 1, 1e12, 24 * HOUR),
        (HOUR, 1, 1, HOUR),
    ],
)
def test_back_off(period: int, failures: int, retry_after: float, wait: int) -> None:
    assert task_schedule.wait_of(period, failures, retry_after) == wait

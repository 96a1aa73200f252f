"""Makes a call for each of many streams, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ...green.backends.choice import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...green.backends.contract import Pool
    from ...green.future import Task

__all__ = ["map_parallel"]

A = TypeVar("A")
R = TypeVar("R")


def map_parallel(
    function: Callable[[A], R], items: Iterable[A], limit: int, async_lib: Any = None
) -> list[R]:
    """The results of a function for all items, in their order, computed in at most `limit` threads at once.

    Raises:
        Exception: what the first call (in the order of the items) raised that failed. The others are stopped,
            as they are when the caller is interrupted.
    """
    waiting = list(items)
    if len(waiting) < 2:
        return [function(item) for item in waiting]
    pool = choose(async_lib).pool(min(limit, len(waiting)))
    tasks: list[Task] = []
    try:
        _start(tasks, pool, function, waiting)
        return _results(tasks)
    except BaseException:
        for task in [task for task in tasks if not task.ready() and task.request_cancel()]:
            task.outcome()
        raise


def _start(tasks: list[Task], pool: Pool, function: Callable[[A], R], items: list[A]) -> None:
    for item in items:
        tasks.append(pool.start(function, item))  # noqa: PERF401 (those that were started must be known)


def _results(tasks: list[Task]) -> list[Any]:
    results = []
    for task in tasks:
        value, raised = task.outcome()
        if raised is not None:
            raised.again()
        results.append(value)
    return results

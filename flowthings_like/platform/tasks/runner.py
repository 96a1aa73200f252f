"""Runs one task: what its kind does, then drops, report and status."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from ..problems import Problem, TooManyRequests, Unavailable
from ..resources.access.rights import Caller
from ..resources.drops import verbs as drop_verbs
from ..resources.task_schedule import RunResult, Status, find_task, record
from .api_task import run_api_task
from .fetch import FetchTimeout
from .reports import report
from .response import Refused
from .rss_task import run_rss_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..resources.drops.resource_store import ResourceStore
    from ..resources.task_schedule import StoredTask
    from .fetch import Fetcher
    from .yields import Yield

__all__ = ["TaskRunner"]

_log = logging.getLogger("flowthings_like.platform.tasks")

_KINDS: dict[str, Callable[[ResourceStore, Fetcher, StoredTask], Yield]] = {
    "api-task": run_api_task,
    "rss": run_rss_task,
}


class TaskRunner:
    """Runs tasks. Usable from any number of threads; one task must not be run twice at the same time.

    Args:
        store: where the tasks are, and the flows that they write to.
        fetcher: fetches for them.
    """

    def __init__(self, store: ResourceStore, fetcher: Fetcher) -> None:
        self._store = store
        self._fetcher = fetcher

    def run(self, id_: str) -> None:
        """Run a task, if it is still there and due. A task that fails is no exception here.

        Raises:
            Unavailable: the store cannot be used now. The task stays due.
        """
        task = self._store.read(lambda connection: find_task(connection, id_))
        if task is None:
            return
        started = time.monotonic()
        result = self._result(task)
        milliseconds = round((time.monotonic() - started) * 1000)
        elems = {"status": result.status.value, "drops": result.drops, "milliseconds": milliseconds}
        if result.message:
            elems["message"] = result.message
        flow = report(self._store, Caller(task.account, task.body["creatorId"]), id_, elems)
        self._store.write(lambda connection: record(connection, task, result, flow))

    def _result(self, task: StoredTask) -> RunResult:
        try:
            found = _KINDS[task.kind](self._store, self._fetcher, task)
            if found.drops:
                if not self._is_current(task):
                    return RunResult(Status.NO_NEW_DATA, state=task.state)
                writer = Caller(task.account, task.body["creatorId"])
                drop_verbs.create_many(self._store, writer, task.body["destination"], found.drops)
        except (Unavailable, TooManyRequests):
            raise
        except FetchTimeout as problem:
            return RunResult(Status.TIMEOUT, problem.message, state=task.state)
        except Refused as problem:
            return RunResult(Status.ERROR, problem.message, retry_after=problem.wait, state=task.state)
        except Problem as problem:
            return RunResult(Status.ERROR, problem.message, state=task.state)
        except Exception:
            _log.exception("%s %s failed", task.kind, task.body["id"])
            return RunResult(Status.ERROR, "the platform failed, its log says why", state=task.state)
        status = Status.OK if found.drops else Status.NO_NEW_DATA
        return RunResult(status, drops=len(found.drops), state=found.state)

    def _is_current(self, task: StoredTask) -> bool:
        """Whether the task is to be run as it was read: it may have been disabled, changed or deleted."""
        found = self._store.read(lambda connection: find_task(connection, task.body["id"]))
        return found is not None and _without_schedule(found) == _without_schedule(task)


def _without_schedule(task: StoredTask) -> dict[str, object]:
    return {name: value for name, value in task.body.items() if name != "nextRun"}

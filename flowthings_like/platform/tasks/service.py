"""Runs the tasks of a platform in one of the processes that have it open.

The process that holds the lease runs them. The others try to take it again and again, so one of them goes on
when that process ends. A process that has lost the lease stops, and what its runs still write is refused.
What is due is in the database: a task that is changed or told to run in any process is seen within a second.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...errors import ConfigurationError
from ...green.backends import choice as backend
from ..ids import now_ms
from ..problems import BadRequest, Problem
from ..resources.task_schedule import adopt, due_tasks
from .addresses import AddressRules
from .broker_sessions import BrokerSessions
from .fenced_store import FencedStore
from .fetch import Fetcher, FetchLimits
from .runner import TaskRunner

if TYPE_CHECKING:
    from ..resources.drops.resource_store import ResourceStore
    from ..resources.task_schedule import DueTask
    from .scheduler import Scheduler

__all__ = ["TaskService", "TaskSettings", "check_packages"]

LED = "tasks"
"""The name of the lease that decides which process runs the tasks."""

MOST_RUNNING = 16
"""Most tasks that run at once."""

MOST_OF_ACCOUNT = 4
"""Most of one account that run at once."""

POLL_INTERVAL = 0.25
"""Seconds between two looks at what is due."""

CLOSE_SECONDS = 15.0
"""How long tasks that run may take to end when the platform is closed."""

_PACKAGES = {
    "apscheduler": "APScheduler",
    "feedparser": "feedparser",
    "paho.mqtt": "paho-mqtt",
    "xmltodict": "xmltodict",
}
"""{module: package} of what tasks need. They are imported when tasks are first run."""

_log = logging.getLogger("flowthings_like.platform.tasks")


@dataclass(frozen=True)
class TaskSettings:
    """How tasks are run.

    Attributes:
        allowed: networks that tasks may connect to besides public addresses, such as "10.0.0.0/8".
        limits: what one fetch may use.
        tls: makes the TLS settings for https.
    """

    allowed: tuple[str, ...] = ()
    limits: FetchLimits = field(default_factory=FetchLimits)
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context


class TaskService:
    """Runs the tasks of a platform while no other process does. Call `start` once, and `close` at the end.

    Args:
        store: the platform's data.
        settings: how tasks are run.

    Attributes:
        is_leader: whether this process runs the tasks.

    Raises:
        ConfigurationError: the platform has neither folder nor bus; a package is not installed; or a network
            is none.
    """

    def __init__(self, store: ResourceStore, settings: TaskSettings | None = None) -> None:
        settings = settings or TaskSettings()
        check_packages()
        try:
            rules = AddressRules(settings.allowed)
        except BadRequest as problem:
            raise ConfigurationError(problem.message) from None
        here = backend.detect()
        self._lease = store.bus.lease(LED)
        self._store = FencedStore(store, LED)
        self._fetcher = Fetcher(rules, settings.limits, settings.tls)
        self._brokers = BrokerSessions(self._store, rules, settings.tls)
        self._runner = TaskRunner(self._store, self._fetcher)
        self._running: set[str] = set()
        self.is_leader = False
        self._is_closed = False
        self._wakeup = here.event()
        self._ended = here.event()
        self._pid: int | None = None

    def start(self) -> None:
        """Begin to run tasks, as soon as no other process does. Returns at once."""
        self._pid = os.getpid()
        backend.detect().spawn(self._lead)

    def close(self) -> None:
        """End the tasks that run, and let another process run them. More calls do nothing."""
        self._is_closed = True
        self._fetcher.close()
        self._wakeup.set()
        if self._pid == os.getpid():  # after a fork, the thread is the parent's
            self._ended.wait(CLOSE_SECONDS + POLL_INTERVAL)

    @property
    def _is_over(self) -> bool:
        """Whether to stop. A green thread that a fork has copied into a child stops at once."""
        return self._is_closed or self._pid != os.getpid()

    def _lead(self) -> None:
        try:
            while self._become_leader():
                self._lead_for_a_term()
        except Exception:
            _log.exception("tasks are not run any more by this process")
        finally:
            self._lease.release()
            self._ended.set()

    def _become_leader(self) -> bool:
        """Wait for the lease. Returns whether this process leads; False if the service was closed."""
        while not self._is_over:
            if self._lease.acquire():
                try:
                    self._store.begin_term()
                except Problem as problem:
                    _log.warning("tasks wait: %s", problem.message)
                else:
                    return True
            self._wait()
        return False

    def _lead_for_a_term(self) -> None:
        # Imported here: it needs a package that most platforms never use.
        from .scheduler import Scheduler

        scheduler = Scheduler()
        scheduler.start()
        self.is_leader = True
        try:
            self._schedule(scheduler)
        finally:
            self.is_leader = False
            self._brokers.close(CLOSE_SECONDS / 2)
            scheduler.stop(CLOSE_SECONDS / 2)

    def _schedule(self, scheduler: Scheduler) -> None:
        """Have tasks run when they are due, until the service is closed or the lease is lost."""
        is_adopted = False
        while not self._is_over:
            if not self._lease.acquire():
                _log.warning("another process may run the tasks now")
                return
            try:
                if not is_adopted:
                    self._store.write(adopt)
                    is_adopted = True
                self._schedule_due(scheduler)
                self._brokers.look()
            except Problem as problem:
                if not self._is_closed:
                    _log.warning("tasks wait: %s", problem.message)
            self._wait()

    def _schedule_due(self, scheduler: Scheduler) -> None:
        until = now_ms() + round(POLL_INTERVAL * 1000)
        due = self._store.read(
            lambda connection: due_tasks(connection, until, MOST_OF_ACCOUNT, 2 * MOST_RUNNING)
        )
        for task in due:
            if task.id not in self._running and len(self._running) < MOST_RUNNING:
                self._running.add(task.id)
                try:
                    scheduler.call_at(task.due, task.id, self._run, task)
                except BaseException:
                    self._running.discard(task.id)
                    raise

    def _run(self, task: DueTask) -> None:
        try:
            self._runner.run(task.id)
        except Problem as problem:  # the store is closed or locked; the task stays due
            if not self._is_closed:
                _log.warning("task %s could not be run: %s", task.id, problem.message)
        finally:
            self._running.discard(task.id)
            self._wakeup.set()

    def _wait(self) -> None:
        """Wait until it is time to look again, or a run has ended, or the service is closed."""
        self._wakeup.wait(POLL_INTERVAL)
        if not self._is_closed:
            self._wakeup.clear()


def check_packages() -> None:
    """Raise ConfigurationError if a package that tasks need is not installed."""
    for module, package in _PACKAGES.items():
        if find_spec(module.partition(".")[0]) is None:
            raise ConfigurationError(
                f"tasks need the package {package}; run: pip install 'flowthings_like[embedded,tasks]'"
            )

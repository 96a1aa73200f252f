"""APScheduler on this process's backend: its loop and its jobs run in green threads, or in OS threads."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.base import STATE_STOPPED, BaseScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

from ...green.backends import choice as backend

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Scheduler"]


class Scheduler(BlockingScheduler):  # type: ignore[misc]  # APScheduler comes without types
    """Calls functions at given times. Its user bounds how many calls run at once."""

    def __init__(self) -> None:
        self._executor = _Executor()
        super().__init__(executors={"default": self._executor}, timezone=timezone.utc)

    def start(self) -> None:
        """Start the loop."""
        here = backend.detect()
        self._event = here.event()
        BaseScheduler.start(self)
        self._thread = here.spawn(self._main_loop)

    def call_at(self, ms: int, id_: str, function: Callable[..., Any], *args: Any) -> None:
        """Call a function at a time in ms since the epoch, or as soon as it can be if that has passed.

        Args:
            id_: names the call. It takes the place of one with the same id that has not begun.
        """
        when = datetime.fromtimestamp(ms / 1000, timezone.utc)
        options = {"id": id_, "misfire_grace_time": None, "replace_existing": True}
        self.add_job(function, "date", args, run_date=when, **options)

    def stop(self, wait: float) -> None:
        """Call nothing more, and wait at most so many seconds for the calls that run."""
        if self.state != STATE_STOPPED:
            self.shutdown(wait=False)
        self._executor.wait(wait)


class _Executor(BaseExecutor):  # type: ignore[misc]
    """Runs each job in a thread of the backend."""

    def __init__(self) -> None:
        super().__init__()
        self._backend = backend.detect()
        self._running = 0
        self._is_idle = self._backend.event()
        self._is_idle.set()

    def wait(self, seconds: float) -> None:
        """Wait until nothing runs, at most so many seconds."""
        self._is_idle.wait(seconds)

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        # APScheduler calls this with the executor's lock held.
        self._running += 1
        self._is_idle.clear()
        try:
            self._backend.spawn(self._run, job, run_times)
        except BaseException:
            self._ended()
            raise

    def _run(self, job: Any, run_times: list[datetime]) -> None:
        try:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)
            self._run_job_success(job.id, events)
        finally:
            with self._lock:
                self._ended()

    def _ended(self) -> None:
        self._running -= 1
        if not self._running:
            self._is_idle.set()

"""The future of a call that runs in a thread of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..future import Failure, Future
from .thunk import GreenThunk, force_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..backends.contract import Pool
    from ..future import Origin, Task

__all__ = ["TaskFuture"]


class TaskFuture(Future):
    """The result of a call that starts at once in a green thread or an OS thread of its own.

    Attributes:
        task: the thread. It does not know the future, which may be dropped before it ends.
    """

    __slots__ = ("_origin", "task")

    def __init__(
        self, origin: Origin, pool: Pool, function: Callable[..., Any], args: Any, kwargs: Any
    ) -> None:
        super().__init__()
        self._origin = origin
        self.task: Task = pool.start(_make, function, args, kwargs, origin)

    @property
    def origin(self) -> Origin:
        """Where the call was made."""
        return self._origin

    def done(self) -> bool:
        """Whether the thread has ended."""
        return super().done() or self.task.ready()

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the thread, which starts now if it is queued behind others."""
        if super().done():
            return
        value, captured = self.task.outcome(timeout)
        if captured is None:
            self.set_result(value)
        else:  # it was killed, or raised what is no Exception
            self.set_exception(Failure(captured.error, captured.traceback, self.origin))

    def cancel(self) -> bool:
        """Kill the thread, as far as that can be done. Never waits; says whether it soon will end."""
        return self.task.request_cancel()

    def when_done(self, callback: Callable[[], object]) -> None:
        """Have `callback` called once the thread has ended, maybe at once."""
        self.task.when_done(callback)


def _make(function: Callable[..., Any], args: Any, kwargs: Any, origin: Origin) -> Any:
    """What the thread runs. A failure is returned, not raised: so no library prints it, and the last one to
    hold it knows whether it was seen."""
    try:
        args, kwargs = force_all(args, kwargs)
        result = function(*args, **kwargs)
        return result.force() if type(result) is GreenThunk else result
    except Exception as error:
        return Failure.of_call(error, origin)

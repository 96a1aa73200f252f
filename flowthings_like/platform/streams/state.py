"""What is known of a stream without asking the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..store.pause import pause
from .problems import Code, StreamProblem

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from numpy.typing import NDArray

    from .recent import Recent

__all__ = ["CREATED", "Stream", "StreamState"]

T = TypeVar("T")

CREATED = 10
"""The version of a stream that has just been created. The first commit makes the next one."""

_LOOK_AGAIN = 0.001


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream after some commit. It never changes.

    Attributes:
        version: the latest one.
        segments: a row of `segments.SEGMENT` for each, by the first time.
        recent: the points that are in no segment yet.
        removals: a row of `removals.REMOVAL` for each.
        trimmed: points before this time are gone from every version.
        epoch: counts the commits that have taken segments away.
    """

    version: int
    segments: NDArray[Any]
    recent: Recent
    removals: NDArray[Any]
    trimmed: int
    epoch: int = 0


class Stream:
    """A stream of the open database, the same object for all that use it.

    Attributes:
        id: its number in the database.
        account, uuid: who has it, and how it is called there.
        state: as of the last commit; None once the stream is obliterated.
        stamped: when the time of one of its versions was noted, ns since 1970 UTC; 0 if that is not known.
        is_rewriting: a commit is under way that takes segments away.
    """

    __slots__ = ("account", "id", "is_rewriting", "stamped", "state", "uuid")

    def __init__(self, id: int, account: str, uuid: UUID, state: StreamState) -> None:
        self.id = id
        self.account = account
        self.uuid = uuid
        self.state: StreamState | None = state
        self.stamped = 0
        self.is_rewriting = False

    def current(self) -> StreamState:
        """The state. Raises NO_SUCH_STREAM once the stream is obliterated."""
        state = self.state
        if state is None:
            raise no_such_stream()
        return state

    def read(self, work: Callable[[StreamState], T]) -> T:
        """The result of `work`, which reads from the database what the state says. In a native thread only.

        It is run again when a commit has taken segments away meanwhile.
        """
        while True:
            state = self.current()
            if not self.is_rewriting:
                result = work(state)
                # In this order: the new state is set before the mark goes.
                if not self.is_rewriting and self.state is not None and self.state.epoch == state.epoch:
                    return result
            pause(_LOOK_AGAIN)


def no_such_stream() -> StreamProblem:
    """The problem of a stream that there is not. It does not say which one was asked for."""
    return StreamProblem(Code.NO_SUCH_STREAM, "stream does not exist")

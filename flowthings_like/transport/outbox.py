"""Writes to a byte stream what any number of threads have queued.

Callers write themselves if that needs no waiting; else a worker does. So a caller never waits here, and its
deadline is about the answer alone.

On threads a signal handler may raise between any two steps of the main thread, and nowhere else. So the main
thread writes nothing: it queues what it has and wakes the worker. A write is therefore never interrupted with
half of an item sent, and no call of another thread notices an interrupt.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..green.backends.choice import detect
from .background_threads import Worker
from .permit import Permit

if TYPE_CHECKING:
    from .byte_stream import ByteStream

__all__ = ["Outbox"]


class Outbox(ABC):
    """Writes what is queued. Nothing else writes to its stream. A subclass has the queue.

    Args:
        stream: what to write to.
        on_failure: called with the error that ended the sending.

    Attributes:
        silent: whether nothing was sent since something was read; the reader sets it.
        writes: how many writes there were.
    """

    def __init__(self, stream: ByteStream, on_failure: Callable[[BaseException], object]) -> None:
        self.silent = True
        self.writes = 0
        self._stream = stream
        self._on_failure = on_failure
        self._joins_writes = detect().is_cooperative
        self._main = threading.main_thread().ident
        # The holder of the permit writes, from the first byte of an item to its last. No caller waits for it:
        # one that does not get it leaves its item in the queue, and the holder looks there before it is done.
        self._permit = Permit()
        self._to_flush = False  # the worker has the permit, until the stream has sent all it took
        self._ended = False
        self._worker = Worker(self._work)

    @property
    def may_send_here(self) -> bool:
        """Whether this thread may write now. If not, it wakes the worker."""
        return self.silent if self._joins_writes else threading.get_ident() != self._main

    def wake(self) -> None:
        """Have the worker send what is queued."""
        self._worker.wake()

    def send_queued(self) -> None:
        """Send all that is queued, unless another thread is doing it."""
        permit, token = self._permit, object()
        try:
            # Checked again after each time the permit was given back: others rely on its holder for that.
            while self._has_work():
                if self._ended or not permit.take(token):
                    return
                if not self._send():
                    self._to_flush = True
                    self._worker.wake()
                    return
                permit.give_back()
        except BaseException as error:
            if not permit.is_held_by(token):
                raise
            self.end()  # part of an item may have been sent, so the permit is never given back
            self._on_failure(error)
            if not isinstance(error, OSError):  # an OSError ends the connection, which tells the caller
                raise

    def end(self) -> None:
        """Stop sending, and drop what is queued."""
        self._ended = True
        self._drop()
        self._worker.wake()

    @abstractmethod
    def _has_work(self) -> bool:
        """Whether something can be sent."""

    @abstractmethod
    def _send(self) -> bool:
        """Write some of what is queued. Returns whether it is sent; else it must be flushed."""

    @abstractmethod
    def _drop(self) -> None:
        """Drop what is queued: nothing is sent any more."""

    def _advance(self) -> None:
        """What the worker does when it is woken, after a flush."""
        self.send_queued()

    def _work(self) -> bool:
        """What the worker does when it is woken. Returns whether it is over."""
        if self._to_flush:
            try:
                self._stream.flush()
            except OSError as error:
                self.end()
                self._on_failure(error)
                return True
            self._to_flush = False
            self._permit.give_back()
        self._advance()
        return self._ended

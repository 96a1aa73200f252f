"""What the rest of the library may ask of a green library: each backend implements `Backend` and `Pool`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ..wrong_thread import foreign_call

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from flowthings_like.errors import WrongThread

    from ..future import OneShotEvent, Task

__all__ = ["DEFAULT_SIZE", "NATIVE_THREADS", "Backend", "Pool"]

DEFAULT_SIZE = 1000
"""Calls that one pool of green threads runs at once, unless told otherwise."""

NATIVE_THREADS = 16
"""OS threads of the native pool under gevent. Under eventlet it is eventlet's own pool (20 unless
EVENTLET_THREADPOOL_SIZE says otherwise)."""


class Pool(ABC):
    """Runs calls in green threads, a bounded number of them at once."""

    backend: Backend

    runs_by_itself = True
    """Whether what is spawned here runs without being waited for."""

    @abstractmethod
    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run `function(*args, **kwargs)` in a green thread, with a copy of the caller's context variables.

        Returns the library's own thread object, at once: what is more than the pool's size waits its turn.
        """

    def start(self, function: Callable[..., Any], /, *args: Any) -> Task:
        """Like `spawn`, for calls whose thread nobody gets to see."""
        return self.task(self.spawn(function, *args))

    def check_thread(self) -> None:  # noqa: B027 (most pools belong to none)
        """Raise WrongThread if this OS thread is not the one to which the pool belongs."""

    def task(self, thread: Any) -> Task:
        """The given thread, which this pool spawned, as a Task."""
        result: Task = thread
        return result


class Backend(ABC):
    """One way to run things in parallel: gevent, eventlet or OS threads. There is one of each per process."""

    name: str

    is_cooperative = True
    """Whether threads run in turns: one that is started begins when the others have had theirs, on the hub's
    next round. OS threads begin at once."""

    @abstractmethod
    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run `function` in a green thread of its own, with a copy of the context variables; not bounded."""

    def task(self, thread: Any) -> Task:
        """A thread that `spawn` returned, as a Task."""
        result: Task = thread
        return result

    def get(self, thread: Any, timeout: float | None = None) -> Any:
        """Wait for a thread: its value, or its exception. DeadlineExceeded after `timeout` seconds."""
        value, raised = self.task(thread).outcome(timeout)
        if raised is not None:
            raised.again()
        return value

    def kill(self, thread: Any) -> None:
        """Stop a spawned thread as far as that goes: an OS thread that has started runs to its end."""
        self.task(thread).request_cancel()

    @abstractmethod
    def pool(self, size: int | None = None) -> Pool:
        """A pool that runs at most `size` calls at once; None: the default, 1000 green threads or 64 OS
        threads.

        A thread of the pool that waits for another one still queued there lends it its place, so calls that
        make calls never lock the pool up.
        """

    def internal_pool(self) -> Pool:
        """A pool for short work that others wait for, which therefore never queues behind them."""
        return self.pool()

    def yield_to_others(self) -> None:
        """Let every thread that can run have its turn."""
        self.sleep(0)

    def native_runs_inline(self) -> bool:
        """Whether `native` is a plain call in this OS thread, which is a native one of a green library."""
        return False

    def in_hub(self) -> bool:
        """Whether the caller is the hub itself, which runs callbacks and must not wait for anything."""
        return False

    @abstractmethod
    def one_shot_event(self) -> OneShotEvent:
        """The lightest event: one thread waits for it, once."""

    def event_factory(self, refusal: Callable[[], WrongThread] = foreign_call) -> Callable[[], OneShotEvent]:
        """What makes latches that are set in this OS thread, a little faster. Under gevent and eventlet it
        raises what `refusal` makes in another OS thread, where waiting for one is an error."""
        return self.one_shot_event

    def hub(self) -> object | None:
        """This OS thread's event loop, to tell whether something belongs to it; None on threads."""
        return None

    @abstractmethod
    def event(self) -> Any:
        """A new event, with the methods of `threading.Event`. No signal can leave it half done."""

    @abstractmethod
    def queue(self) -> Any:
        """A new first-in first-out queue without bound, with the methods of `queue.SimpleQueue`."""

    @abstractmethod
    def lock(self) -> Any:
        """A new lock, with the methods of `threading.Lock`."""

    def socket_owner(self) -> object:
        """What stands for all those who may share a socket with the caller; it can be weakly referred to.

        On threads that is the process. Under gevent and eventlet it is the OS thread: a socket wakes those
        who wait for it through that thread's hub. It is gone when the thread has ended.
        """
        return self

    @abstractmethod
    def sleep(self, seconds: float) -> None:
        """Let others run for so many seconds; 0 gives way once."""

    def send_now(self, sock: socket.socket, data: bytes | memoryview) -> int:
        """Send what a connected socket takes at once; returns how many bytes that was, 0 if it takes none.

        It never waits, so no green thread can be interrupted in it.

        Raises:
            OSError: as `socket.send`; nothing was sent then.
        """
        timeout = sock.gettimeout()
        sock.settimeout(0.0)  # a green socket's own affair: the one below it never waits
        try:
            return sock.send(data)
        except BlockingIOError:
            return 0
        finally:
            sock.settimeout(timeout)

    def receive_now(self, sock: socket.socket, size: int) -> bytes | None:
        """What a connected socket has to read, at most `size` bytes: b"" at its end, None if there is nothing
        yet. It never waits.

        Raises:
            OSError: as `socket.recv`.
        """
        timeout = sock.gettimeout()
        sock.settimeout(0.0)
        try:
            return sock.recv(size)
        except BlockingIOError:
            return None
        finally:
            sock.settimeout(timeout)

    def watch(self, sock: socket.socket, callback: Callable[[], object]) -> Callable[[], object] | None:
        """Have the hub itself call `callback()` whenever there is something to read from a socket.

        It must neither wait nor raise, but may let a green thread that waits for an event go on
        (`set_and_switch`). Nobody else may read from the socket meanwhile.

        Returns:
            What ends it, to be called before the socket is closed. None on threads, which have no hub.
        """
        return None

    @abstractmethod
    def fair_yield(self) -> None:
        """Wait for a turn to do something that holds up all green threads of this hub for milliseconds.

        Turns are given one at a time, and everything that is due runs between two of them. What the caller
        does before it next waits for anything is its turn. On threads, whose interpreter takes turns by
        itself, it returns at once.
        """

    @abstractmethod
    def deadline(self, seconds: float | None) -> AbstractContextManager[None]:
        """A block that raises DeadlineExceeded if it takes longer; None sets no deadline.

        Green threads are interrupted when the time is up. Nothing can interrupt an OS thread: there the block
        learns at its end that it was too slow.
        """

    @abstractmethod
    def native(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """Run `function(*args)` where it may block: in a real OS thread, while other green threads go on.

        On threads it is a plain call. Exceptions of any kind come back with their traceback. Context
        variables are carried in, changes to them are not carried out. A call that is made within a native
        thread stays in it. If the waiting green thread is interrupted the work is abandoned, not stopped:
        it runs to its end and its result is dropped.
        """

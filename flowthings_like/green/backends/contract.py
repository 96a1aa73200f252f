"""The interface that gevent, eventlet and OS threads each implement: `Backend`, `Pool` and `NativePool`."""

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

__all__ = ["DEFAULT_SIZE", "NATIVE_THREADS", "Backend", "NativeCall", "NativePool", "Pool"]

DEFAULT_SIZE = 1000
"""How many calls a pool of green threads runs at once by default."""

NATIVE_THREADS = 16
"""How many OS threads `native` uses under gevent and eventlet, for each hub."""


class Pool(ABC):
    """Runs calls in green threads, or in OS threads: a bounded number of them at once."""

    backend: Backend

    runs_by_itself = True
    """Whether a thread runs without being waited for."""

    @abstractmethod
    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run `function(*args, **kwargs)` in a thread, with a copy of the caller's context variables.

        It returns the library's own thread object at once. If the pool is full, the thread is queued.
        """

    def start(self, function: Callable[..., Any], /, *args: Any) -> Task:
        """Like `spawn`, but returns the thread as a Task: for calls whose thread no caller sees."""
        return self.task(self.spawn(function, *args))

    def check_thread(self) -> None:  # noqa: B027 (some pools may be used in any OS thread)
        """Raise WrongThread if the pool cannot be used in this OS thread."""

    def task(self, thread: Any) -> Task:
        """The Task of a thread that `spawn` has returned."""
        result: Task = thread
        return result


class NativeCall(ABC):
    """A call in a NativePool: queued, running or done. It belongs to the OS thread that submitted it."""

    __slots__ = ("__weakref__",)

    @abstractmethod
    def done(self) -> bool:
        """Whether `wait` would not wait."""

    @abstractmethod
    def wait(self) -> Any:
        """Wait for the call, and return its value or raise its exception, of any kind, with its traceback.

        If the waiting green thread is interrupted, the call goes on, and `wait` may be called again.

        Raises:
            WrongThread: the call was submitted in another OS thread, and is not done.
            FlowThingsError: it was submitted before this process was forked, and is not done.
        """

    @abstractmethod
    def when_done(self, callback: Callable[[], object]) -> None:
        """Have `callback()` called in the hub of this OS thread once the call is done; at once if it is done.

        The callback must not wait. It is called once, or twice if a signal's exception interrupts the hub.

        Raises:
            WrongThread, FlowThingsError: as `wait`.
        """


class NativePool(ABC):
    """Runs calls that block, such as those of a database driver, in OS threads of its own.

    On threads, and within a native call, there is no need for another thread: there the caller blocks.

    Attributes:
        name: for error messages.
        size: how many threads it has at most. They are started when they are needed.
    """

    name: str
    size: int

    @abstractmethod
    def submit(self, function: Callable[..., Any], /, *args: Any) -> NativeCall:
        """Start `function(*args)` in one of the threads, with a copy of the caller's context variables.

        It never waits: while all threads have calls, the call is queued. On threads and within a native call
        it runs the function itself; then an exception that is no `Exception` is raised here, because a signal
        handler may have raised it.

        Raises:
            FlowThingsError: the pool is closed.
            RuntimeError: the pool has no thread, and none can be started.
        """

    def run(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """Submit a call and wait for it."""
        return self.submit(function, *args).wait()

    @abstractmethod
    def close(self) -> None:
        """Refuse more calls, and return when all threads have finished the calls that they have, and ended.

        It may be called again, also after an interruption. Within a call of a pool it does not wait. A pool
        that is collected as garbage ends its threads as well, and a program does not wait for them to end.
        """


class Backend(ABC):
    """One way to run calls in parallel: gevent, eventlet or OS threads. A process has at most one of each."""

    name: str

    is_cooperative = True
    """Whether threads are scheduled cooperatively: a new one starts on the hub's next iteration, after all
    that can run now. False for OS threads, which start at once."""

    @abstractmethod
    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run `function` in a new thread, outside any pool, with a copy of the context variables."""

    def task(self, thread: Any) -> Task:
        """The Task of a thread that `spawn` has returned."""
        result: Task = thread
        return result

    def get(self, thread: Any, timeout: float | None = None) -> Any:
        """Wait for a thread, and return its value or raise its exception.

        Raises:
            DeadlineExceeded: it was not done after `timeout` seconds.
        """
        value, raised = self.task(thread).outcome(timeout)
        if raised is not None:
            raised.again()
        return value

    def kill(self, thread: Any) -> None:
        """Stop a thread. An OS thread that has started cannot be stopped and runs to its end."""
        self.task(thread).request_cancel()

    @abstractmethod
    def pool(self, size: int | None = None) -> Pool:
        """A pool that runs at most `size` calls at once. By default 1000 green threads, or 64 OS threads.

        A thread of the pool that waits for a queued one lets it start, beyond the limit. Without that, calls
        that make calls could fill the pool and wait for each other for ever.
        """

    def internal_pool(self) -> Pool:
        """A pool for the library's own short work.

        Not the pool of the callers on OS threads: they wait for this work, so it must not queue behind them.
        """
        return self.pool()

    def yield_to_others(self) -> None:
        """Let every other thread that can run do so before this returns."""
        self.sleep(0)

    def is_foreign_thread(self) -> bool:
        """Whether the locks of this OS thread's green threads wake nobody in the main thread, and vice versa.

        So it is in all OS threads but the main one under eventlet, and nowhere else.
        """
        return False

    def in_hub(self) -> bool:
        """Whether the caller is a callback of the hub itself, which must not wait for anything."""
        return False

    @abstractmethod
    def one_shot_event(self) -> OneShotEvent:
        """A new event that one thread waits for, once: cheaper than `event`."""

    def event_factory(self, refusal: Callable[[], WrongThread] = foreign_call) -> Callable[[], OneShotEvent]:
        """A function that makes one-shot events for this OS thread, a little faster.

        Under gevent and eventlet, calling it in another OS thread raises what `refusal` returns, because a
        wait for such an event would never end there.
        """
        return self.one_shot_event

    def hub(self) -> object | None:
        """This OS thread's event loop, to compare with another one; None on threads."""
        return None

    @abstractmethod
    def event(self) -> Any:
        """A new event, with the methods of `threading.Event`. A signal's exception leaves it usable."""

    @abstractmethod
    def queue(self) -> Any:
        """A new first-in first-out queue without bound, with the methods of `queue.SimpleQueue`."""

    @abstractmethod
    def lock(self) -> Any:
        """A new lock, with the methods of `threading.Lock`."""

    def socket_owner(self) -> object:
        """An object that stands for all threads that may use the caller's sockets. It allows weak references.

        On threads that is the process. Under gevent and eventlet it is the OS thread, because a socket wakes
        its waiters through that thread's hub. The object is gone when the OS thread has ended.
        """
        return self

    @abstractmethod
    def sleep(self, seconds: float) -> None:
        """Let other threads run for so many seconds; 0 yields once."""

    def send_now(self, sock: socket.socket, data: bytes | memoryview) -> int:
        """Send as much as a connected socket accepts without waiting, and return how many bytes that was.

        It never waits, so no green thread can be interrupted in it.

        Raises:
            OSError: as `socket.send`. Nothing was sent.
        """
        timeout = sock.gettimeout()
        sock.settimeout(0.0)  # of the green socket only: the plain one below it never waits
        try:
            return sock.send(data)
        except BlockingIOError:
            return 0
        finally:
            sock.settimeout(timeout)

    def receive_now(self, sock: socket.socket, size: int) -> bytes | None:
        """Read at most `size` bytes from a connected socket without waiting.

        Returns:
            The bytes; b"" at the end of the stream; None if there is nothing to read yet.

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
        """Have the hub call `callback()` whenever a socket has something to read.

        The callback must neither wait nor raise, but it may set a one-shot event and switch to its waiter
        (`set_and_switch`). Nothing else may read from the socket meanwhile.

        Returns:
            A function that stops this, to be called before the socket is closed. None on threads, which have
            no hub.
        """
        return None

    @abstractmethod
    def fair_yield(self) -> None:
        """Let everything that is due run, before work that blocks this hub for milliseconds.

        Callers go on one at a time, and everything that is due runs between two of them: the work of many
        callers cannot block the hub for longer than that of one. On threads, which the interpreter switches
        by itself, it returns at once.
        """

    @abstractmethod
    def deadline(self, seconds: float | None) -> AbstractContextManager[None]:
        """A context manager that raises DeadlineExceeded if its block takes longer; None for no deadline.

        A green thread is interrupted when the time is up. An OS thread cannot be interrupted: there the error
        is raised at the end of the block.
        """

    @abstractmethod
    def native(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """Run `function(*args)`, which may block, in an OS thread, while other green threads go on.

        On threads, and within a call of `native`, it is a plain call. Exceptions of any kind are raised here,
        with their traceback. The function gets the caller's context variables; changes that it makes to them
        are lost. If the waiting green thread is interrupted, the function is not stopped: it runs to its end
        and its result is dropped.
        """

    @abstractmethod
    def native_pool(self, size: int, name: str) -> NativePool:
        """A new pool of at most `size` OS threads, for calls that must not wait for a thread of `native`.

        Calls that wait for each other, such as those of a database's clients, need a thread each.
        """

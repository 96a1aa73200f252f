"""Where urllib3 keeps idle sockets, which belong to one hub each.

Under gevent and eventlet each OS thread has a hub, and a green socket belongs to the hub it was made in.
"""

from __future__ import annotations

from queue import Empty, Full, LifoQueue
from time import monotonic
from typing import Any
from weakref import ref

from ...green.backends._primitives import Event
from ...green.backends.choice import detect
from ..hubless import close_without_hub
from ..waiters import RECHECK

__all__ = ["idle_queue"]


def idle_queue(size: int) -> Any:
    """The queue for urllib3's idle connections: one for all OS threads, or one for each hub."""
    return _Stack(size) if detect().name == "threads" else _QueuePerHub(size)


class _Stack:
    """Like `queue.LifoQueue`, whose lock a signal handler's exception can leave held: see `_primitives`.

    Args:
        size: items that it holds at most. `put` into a full queue raises Full at once: urllib3 does not wait.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: list[Any] = []
        self._waiting: set[Event] = set()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        until = None if timeout is None else monotonic() + timeout
        while True:
            came = Event()
            try:
                if block:
                    self._waiting.add(came)  # first: what is put in after the look below sets it
                return self._items.pop()
            except IndexError:
                left = RECHECK if until is None else min(RECHECK, until - monotonic())
                if not block or left <= 0:
                    raise Empty from None
                came.wait(left)
            finally:
                self._waiting.discard(came)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if len(self._items) >= self._size:
            raise Full
        self._items.append(item)
        for came in list(self._waiting):
            came.set()

    def qsize(self) -> int:
        return len(self._items)


class _QueuePerHub:
    """A queue for each OS thread, behind the interface of one: a thread gets what was put in by itself.

    Args:
        size: of each.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._queues: dict[int, tuple[ref[object], LifoQueue[Any]]] = {}

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        return self._here().get(block, timeout)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        # urllib3 fills a new queue with None, for connections that may yet be made; each is filled here.
        if item is not None or block is False:
            self._here().put(item, block, timeout)

    def qsize(self) -> int:
        return self._here().qsize()

    def _here(self) -> LifoQueue[Any]:
        home = detect().socket_owner()
        key = id(home)
        found = self._queues.get(key)
        if found is None:
            queue: LifoQueue[Any] = LifoQueue(self._size)
            for _ in range(self._size):
                queue.put(None)
            found = self._queues[key] = ref(home, lambda gone: self._retire(key)), queue
        return found[1]

    def _retire(self, key: int) -> None:
        """The thread has ended: close what it has left."""
        found = self._queues.pop(key, None)
        # Not by its methods: a green queue would use the hub, which is gone.
        for connection in list(found[1].queue) if found is not None else ():
            if connection is not None and connection.sock is not None:
                close_without_hub(connection.sock)

    def __del__(self) -> None:
        # urllib3 has closed what is in this thread's queue. The rest is in other threads' queues.
        for key in list(self._queues):
            self._retire(key)

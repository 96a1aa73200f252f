"""One-shot events for green threads, and the part of a green library's event loop that they use.

Imported only by the backends of green libraries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from greenlet import getcurrent

from ..wrong_thread import wrong_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowthings_like.errors import WrongThread

__all__ = ["Hub", "HubEvent", "LocalHubEvent", "Waker"]


class Waker(Protocol):
    """Has a hub call one function at the request of other OS threads."""

    def wake(self) -> object:
        """Have the hub call the function soon, once for all requests since. Any OS thread may ask."""

    def hold(self) -> None:
        """Keep the hub's loop running until `release`, although nothing else does."""

    def release(self) -> None:
        """Let the loop end when nothing else keeps it running."""

    def close(self) -> None:
        """Give it up in a forked child, without an effect on the parent."""


class Hub(Protocol):
    """The event loop of a green library. Each OS thread has its own."""

    def waker(self, callback: Callable[[], object]) -> Waker:
        """A Waker that calls `callback()`, which must not wait."""

    def switch(self) -> object:
        """Let the loop run until something switches back to this green thread. Raises in the loop itself."""

    def is_current(self) -> bool:
        """Whether this is the loop's own OS thread."""

    def call_soon(self, function: Callable[..., object], /, *args: Any) -> object:
        """Have the loop call `function(*args)` on its next iteration."""

    def call_later(self, seconds: float, function: Callable[[], object]) -> Callable[[], object]:
        """Have the loop call `function()` in so many seconds. Returns a function that cancels this.

        The timer does not keep the loop running.
        """


class HubEvent:
    """An event that one green thread waits for, and that is set once, in the OS thread of its hub."""

    __slots__ = ("_hub", "_is_set", "_waiter")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._is_set = False
        self._waiter: Any = None

    def set(self) -> None:
        """Have the hub switch to the waiter on its next iteration."""
        self._is_set = True
        if self._waiter is not None:
            self._hub.call_soon(self._wake)

    def set_and_switch(self) -> bool:
        """Set it and switch to the waiter at once. The calling green thread goes on when something switches
        back to it.

        Returns:
            False, without a switch, if no thread waits.
        """
        self._is_set = True
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            return False
        waiter.switch()
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; False if that takes longer than `timeout` seconds.

        Raises:
            WrongThread: this is not the hub's OS thread, so the wait would never end.
        """
        if not self._is_set:
            if not self._hub.is_current():
                raise wrong_thread()
            self._waiter = getcurrent()
            cancel = None if timeout is None else self._hub.call_later(timeout, self._wake)
            try:
                # The loop is for switches that do not come from this event. `_wake` clears the waiter, also
                # when the time is up.
                while not self._is_set and self._waiter is not None:
                    self._hub.switch()
            finally:
                self._waiter = None
                if cancel is not None:
                    cancel()
        return self._is_set

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:  # it is None if the wait was interrupted: the thread may wait elsewhere now
            waiter.switch()


class LocalHubEvent(HubEvent):
    """A HubEvent for the OS thread that makes it, which raises before anything is begun that needs the wait.

    Raises:
        WrongThread: made by `refusal`: this is not the hub's OS thread.
    """

    __slots__ = ()

    def __init__(self, hub: Hub, refusal: Callable[[], WrongThread]) -> None:
        if not hub.is_current():
            raise refusal()
        # Not `super().__init__`, because an event is made for each call.
        self._hub = hub
        self._is_set = False
        self._waiter = None

"""How green threads wait: what is asked of a green library's event loop, and the lightest of all events.

Imported only by the backends of green libraries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from greenlet import getcurrent

from ..wrong_thread import wrong_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowthings_like.errors import WrongThread

__all__ = ["Hub", "HubEvent", "LocalHubEvent"]


class Hub(Protocol):
    """What is asked of a green library's event loop. There is one of each per OS thread."""

    def switch(self) -> object:
        """Let the loop run, until somebody switches back. An error, not a wait, in the loop itself."""

    def is_current(self) -> bool:
        """Whether this is the loop's own OS thread."""

    def call_soon(self, function: Callable[..., object], /, *args: Any) -> object:
        """Have the loop call `function(*args)` on its next turn."""

    def call_later(self, seconds: float, function: Callable[[], object]) -> Callable[[], object]:
        """Have it called in so many seconds, unless the function returned is called before. It does not keep
        the loop running."""


class HubEvent:
    """Waited for by one green thread, and set once, in the OS thread of the hub."""

    __slots__ = ("_hub", "_is_set", "_waiter")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._is_set = False
        self._waiter: Any = None

    def set(self) -> None:
        """Let the one that waits go on."""
        self._is_set = True
        if self._waiter is not None:
            self._hub.call_soon(self._wake)

    def set_and_switch(self) -> bool:
        """Set it, and let the one that waits go on right now, in place of the calling green thread, which
        goes on when somebody switches to it. False, at once, if nobody waits."""
        self._is_set = True
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            return False
        waiter.switch()
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; False if that takes longer than `timeout` seconds.

        Raises:
            WrongThread: this is another OS thread than the hub's, where the wait would never end.
        """
        if not self._is_set:
            if not self._hub.is_current():
                raise wrong_thread()
            self._waiter = getcurrent()
            cancel = None if timeout is None else self._hub.call_later(timeout, self._wake)
            try:
                # A thread that is switched to by mistake goes on waiting; one whose time is up does not.
                while not self._is_set and self._waiter is not None:
                    self._hub.switch()
            finally:
                self._waiter = None
                if cancel is not None:
                    cancel()
        return self._is_set

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:  # else it was interrupted, and waits for something else by now
            waiter.switch()


class LocalHubEvent(HubEvent):
    """A latch that the thread waits for which makes it.

    Raises:
        WrongThread: what `refusal` makes. This is another OS thread than the hub's; what was to be waited for
            need not be begun.
    """

    __slots__ = ()

    def __init__(self, hub: Hub, refusal: Callable[[], WrongThread]) -> None:
        if not hub.is_current():
            raise refusal()
        # One is made for each call: not worth another call to what makes a HubEvent.
        self._hub = hub
        self._is_set = False
        self._waiter = None

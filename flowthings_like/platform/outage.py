"""Outage: what the log is told when a server that a platform depends on is lost, and when it is back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

__all__ = ["Outage"]


class Outage:
    """The outage of one server, if there is one now.

    The log gets one line when it begins and one when it ends, however many calls fail meanwhile. It takes no
    lock: of two threads that fail in the same moment both may write the line.

    Args:
        log: gets the lines.
        name: of the server.
        effect: what it means for callers, to stand behind "the … is away".
    """

    def __init__(self, log: logging.Logger, name: str, effect: str = "") -> None:
        self._log = log
        self._name = name
        self._effect = effect
        self._began: float | None = None  # time.monotonic(); None while the server is reached

    @property
    def is_on(self) -> bool:
        """Whether the server is away."""
        return self._began is not None

    def begin(self, reason: object) -> bool:
        """Note that the server could not be reached. Returns whether that is new. `reason` is logged."""
        if self._began is not None:
            return False
        self._began = time.monotonic()
        self._log.warning("the %s is away%s: %s", self._name, self._effect, " ".join(str(reason).split()))
        return True

    def end(self) -> None:
        """Note that the server has answered."""
        if self._began is None:
            return
        began, self._began = self._began, None
        if began is not None:  # another thread may have noted it just now
            # A warning, because without `--log` the one of the loss is shown, and this has to be, too.
            self._log.warning("the %s is back after %.1f seconds", self._name, time.monotonic() - began)

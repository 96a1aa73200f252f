"""What is known of scripts and their owners, which says where a script runs the next time."""

from __future__ import annotations

import time
from collections import OrderedDict
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .script import Script

__all__ = ["Standing", "Standings"]

QUICK_SECONDS = 0.02
"""Processor time for an input up to which a script counts as quick."""
SUSPECT_SECONDS = 600.0
"""How long the new scripts of an owner are taken for slow after one of the owner's was stopped."""
_REMEMBERED = 10_000  # scripts, and owners


class Standing(Enum):
    """What is to be expected of a script."""

    QUICK = "quick"
    """It was quick the last time."""
    NEW = "new"
    """It has not run here yet, and no script of its owner was stopped lately."""
    SLOW = "slow"
    """It was slow or stopped the last time; or it is new, and its owner's scripts were stopped."""


class Standings:
    """The standings of the scripts of one process."""

    def __init__(self) -> None:
        self._scripts: OrderedDict[Script, Standing] = OrderedDict()
        self._stopped: OrderedDict[str, float] = OrderedDict()  # owner: when a script was last stopped

    def of(self, script: Script) -> Standing:
        """The standing of a script."""
        known = self._scripts.get(script)
        if known is not None:
            return known
        stopped = self._stopped.get(script.owner)
        is_suspect = stopped is not None and time.monotonic() - stopped < SUSPECT_SECONDS
        return Standing.SLOW if is_suspect else Standing.NEW

    def note(self, script: Script, seconds: float | None) -> None:
        """Note how a script has run.

        Args:
            seconds: the processor time that it took for an input; None if it was stopped.
        """
        is_quick = seconds is not None and seconds <= QUICK_SECONDS
        _remember(self._scripts, script, Standing.QUICK if is_quick else Standing.SLOW)
        if seconds is None:
            _remember(self._stopped, script.owner, time.monotonic())


def _remember(found: OrderedDict, key: object, value: object) -> None:  # type: ignore[type-arg]
    found[key] = value
    if len(found) > _REMEMBERED:
        found.popitem(last=False)

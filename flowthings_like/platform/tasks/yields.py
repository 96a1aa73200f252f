"""What a task has fetched: the drops that it makes, before they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..resources.task_schedule import RunState

__all__ = ["Yield"]


@dataclass(frozen=True, slots=True)
class Yield:
    """The drops that a run makes.

    Attributes:
        drops: models of drops, oldest first.
        state: for the next run, if these drops are written.
    """

    drops: list[dict[str, Any]]
    state: RunState

"""Progress: how far a load is, how fast it goes, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "Report", "Stopwatch"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is.

    Attributes:
        rows: how many rows are done, those of earlier runs included.
        stored: how many drops, points, records or rows of a table are stored.
        refused: how many rows were refused.
        fraction: how much of the source was read, from 0 to 1; None if that is not known.
        rate: rows a second, of this run.
        seconds_left: None if that is not known.
    """

    rows: int
    stored: int
    refused: int
    fraction: float | None
    rate: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a load.

    Attributes:
        rows: how many rows the source has.
        stored: how many drops, points, records or rows of a table are stored.
        left_out: rows that the filter or the function has left out.
        refused: rows that could not be loaded. They are in the reject file.
        calls: calls that were made.
        seconds: how long it took, without earlier runs.
        rows_now: rows that this run has read.
    """

    rows: int
    stored: int
    left_out: int
    refused: int
    calls: int
    seconds: float
    rows_now: int

    @property
    def rate(self) -> float:
        """Rows a second, of this run."""
        return self.rows_now / max(self.seconds, 1e-9)


class Stopwatch:
    """Measures the rate of a run.

    Args:
        rows: how many were done before.
        clock: tells the time in seconds.
    """

    def __init__(self, rows: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._before = rows
        self._clock = clock
        self._began = clock()
        self._began_at: float | None = None

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock() - self._began

    def progress(self, rows: int, stored: int, refused: int, fraction: float | None) -> Progress:
        """The progress now."""
        seconds = max(self.seconds, 1e-9)
        left = None
        if fraction is not None:
            if self._began_at is None:  # a run that goes on does not begin at 0
                self._began_at = fraction if self._before else 0.0
            done = fraction - self._began_at
            if done > 0:
                left = seconds * (1.0 - fraction) / done
        return Progress(rows, stored, refused, fraction, (rows - self._before) / seconds, left)

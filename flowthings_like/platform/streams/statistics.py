"""Statistics of windows: computed from points, or merged from the statistics of parts of windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Statistics", "merge", "summarize"]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of windows that have points. The arrays have equal lengths.

    Attributes:
        times: the start of each window.
        mins, means, maxes: of the values in it.
        counts: how many points it has, 1 or more.
        m2s: the sum of the squared deviations of its values from their mean.
    """

    times: NDArray[np.int64]
    mins: NDArray[np.float64]
    means: NDArray[np.float64]
    maxes: NDArray[np.float64]
    counts: NDArray[np.int64]
    m2s: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times)

    @property
    def stddevs(self) -> NDArray[np.float64]:
        """The standard deviation of each window's values, as a population: the root of m2 / count."""
        found: NDArray[np.float64] = np.sqrt(self.m2s / np.maximum(self.counts, 1))
        return found

    @classmethod
    def empty(cls) -> Statistics:
        """The statistics of no windows."""
        nothing = np.empty(0, np.float64)
        return cls(np.empty(0, np.int64), nothing, nothing, nothing, np.empty(0, np.int64), nothing)


def summarize(windows: NDArray[np.int64], values: NDArray[np.float64]) -> Statistics:
    """The statistics of points.

    Args:
        windows: the start of the window that each point is in, in any order.
        values: each point's value.
    """
    if not len(windows):
        return Statistics.empty()
    if np.any(windows[1:] < windows[:-1]):
        order = np.argsort(windows, kind="stable")
        windows, values = windows[order], values[order]
    starts, counts = _runs(windows)
    with np.errstate(over="ignore", invalid="ignore"):
        mins = np.minimum.reduceat(values, starts)
        maxes = np.maximum.reduceat(values, starts)
        # Rounding may take a mean a little beyond the values that it is the mean of.
        means = np.clip(np.add.reduceat(values, starts) / counts, mins, maxes)
        deviations = values - np.repeat(means, counts)
        m2s = np.add.reduceat(deviations * deviations, starts)
    return Statistics(windows[starts], mins, means, maxes, counts, m2s)


def merge(parts: Sequence[Statistics], windows: Sequence[NDArray[np.int64]] | None = None) -> Statistics:
    """The statistics of windows, of which each part has some of the points.

    Variances are merged by Chan's formula: sums of squares would lose all digits where values are large.

    Args:
        parts: in any order, with windows in any order.
        windows: for each part, the starts of the windows that its rows belong to; its own times by default.
    """
    chosen = [part for part in parts if len(part)]
    if windows is not None:
        times = [found for part, found in zip(parts, windows, strict=True) if len(part)]
    else:
        times = [part.times for part in chosen]
    if not chosen:
        return Statistics.empty()
    if len(chosen) == 1 and windows is None and not np.any(times[0][1:] <= times[0][:-1]):
        return chosen[0]
    keys = np.concatenate(times)
    columns = [np.concatenate([getattr(part, name) for part in chosen]) for name in _COLUMNS]
    if np.any(keys[1:] < keys[:-1]):
        order = np.argsort(keys, kind="stable")
        keys, columns = keys[order], [column[order] for column in columns]
    mins, means, maxes, counts, m2s = columns
    starts, lengths = _runs(keys)
    with np.errstate(over="ignore", invalid="ignore"):
        low = np.minimum.reduceat(mins, starts)
        high = np.maximum.reduceat(maxes, starts)
        total = np.add.reduceat(counts, starts)
        shares = counts / np.repeat(total, lengths)
        mean = np.clip(np.add.reduceat(means * shares, starts), low, high)
        apart = means - np.repeat(mean, lengths)
        m2 = np.add.reduceat(m2s + counts * apart * apart, starts)
    return Statistics(keys[starts], low, mean, high, total, m2)


_COLUMNS = ("mins", "means", "maxes", "counts", "m2s")


def _runs(keys: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each run of equal keys starts, and how long it is."""
    starts = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1])
    return starts, np.diff(np.append(starts, len(keys)))

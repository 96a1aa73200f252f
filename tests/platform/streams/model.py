"""A stream as plain Python has it: a list of points for each version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Point = tuple[int, float]


@dataclass
class Model:
    """All versions of a stream. Points are sorted by time; equal times as they were inserted."""

    versions: dict[int, list[Point]] = field(default_factory=lambda: {10: []})

    @property
    def latest(self) -> int:
        return max(self.versions)

    @property
    def points(self) -> list[Point]:
        return self.versions[self.latest]

    def insert(self, batch: list[Point], policy: int) -> int:
        now = list(self.points)
        new: list[Point] = []
        for time, value in batch:
            if policy == 1 and (time, value) in now + new:
                continue
            if policy == 2 and any(time == other for other, _ in now + new):
                continue
            if policy == 3:
                new = [point for point in new if point[0] != time]
            new.append((time, value))
        if not new:
            return self.latest
        if policy == 3:
            times = {time for time, _ in new}
            now = [point for point in now if point[0] not in times]
        return self._commit(sorted(now + new, key=lambda point: point[0]))

    def delete(self, start: int, end: int) -> int:
        return self._commit([point for point in self.points if not start <= point[0] < end])

    def values(self, start: int, end: int, version: int) -> list[Point]:
        return [point for point in self.versions[version] if start <= point[0] < end]

    def nearest(self, time: int, version: int, backward: bool) -> Point | None:
        points = self.versions[version]
        found = [point for point in points if (point[0] < time if backward else point[0] >= time)]
        return None if not found else found[-1] if backward else found[0]

    def _commit(self, points: list[Point]) -> int:
        version = self.latest + 1
        self.versions[version] = points
        return version


def statistics(points: list[Point]) -> tuple[float, float, float, int, float]:
    """min, mean, max, count and standard deviation."""
    values = np.array([value for _, value in points])
    return values.min(), values.mean(), values.max(), len(values), values.std()


def aligned_windows(points: list[Point], start: int, end: int, width: int) -> list[tuple[Any, ...]]:
    """The windows of 2**width ns that have points, from the points of all times."""
    size = 1 << width
    first, last = start // size * size, end // size * size
    inside: dict[int, list[Point]] = {}
    for point in points:
        if first <= point[0] // size * size < last:
            inside.setdefault(point[0] // size * size, []).append(point)
    return [(time, *statistics(found)) for time, found in sorted(inside.items())]


def windows(points: list[Point], start: int, end: int, width: int) -> list[tuple[Any, ...]]:
    """All windows of `width` ns."""
    rows = []
    for first in range(start, start + (end - start) // width * width, width):
        found = [point for point in points if first <= point[0] < first + width]
        rows.append((first, *statistics(found)) if found else (first, 0.0, 0.0, 0.0, 0, 0.0))
    return rows

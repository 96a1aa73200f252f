"""Finds records in received bytes by their sizes, a run of equal sizes at once."""

from __future__ import annotations

from array import array
from functools import cache
from mmap import mmap
from types import ModuleType

from .layout import I32

__all__ = ["RecordStarts", "count_cids", "count_run", "numpy_or_none"]

_FIRST_STEP, _LONGEST_STEP = 64, 1 << 16  # records that are compared at once: few where a run may be short


@cache
def numpy_or_none() -> ModuleType | None:
    """numpy, or None where it is not installed. It is imported at the first call."""
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def count_run(data: bytearray | mmap, at: int, end: int, stride: int) -> int:
    """How many whole records before `end` have the size of the one at `at`, and follow it without a gap.

    Args:
        stride: bytes of the record at `at`, with its size field. It ends before `end`.
    """
    most = (end - at) // stride
    size = data[at : at + 4]
    if most == 1 or data[at + stride : at + stride + 4] != size:
        return 1
    known, step = 0, _FIRST_STEP
    while known < most:
        count = min(step, most - known)
        equal = _count_equal(data, at + known * stride, count, stride, size)
        known += equal
        if equal < count:
            break
        step = min(8 * step, _LONGEST_STEP)
    return known


def count_cids(data: bytearray | mmap, at: int, count: int, stride: int) -> int:
    """How many of the whole keys of records, from the first on, have a cid that is not negative.

    Args:
        at: where the first record stands.
        count: how many there are.
        stride: bytes from one to the next.
    """
    if count == 1:
        return int(data[at + 7] < 0x80)
    np = numpy_or_none() if count > _FIRST_STEP else None
    if np is not None:
        negative = np.ndarray((count,), "<i4", data, at + 4, (stride,)) < 0
        return int(negative.argmax()) if negative.any() else count
    signs = data[at + 7 : at + (count - 1) * stride + 8 : stride]  # the bytes with the signs
    return count if signs.isascii() else next(place for place, byte in enumerate(signs) if byte & 0x80)


def _count_equal(data: bytearray | mmap, at: int, count: int, stride: int, size: bytes | bytearray) -> int:
    """How many of `count` records, from the first on, have a size."""
    np = numpy_or_none() if count > _FIRST_STEP else None
    if np is not None:
        equal = np.ndarray((count,), "<i4", data, at, (stride,)) == I32.unpack(size)[0]
        return count if equal.all() else int(equal.argmin())
    for place in range(4):
        column = data[at + place : at + place + (count - 1) * stride + 1 : stride]
        count -= len(column.lstrip(size[place : place + 1]))
    return count


class RecordStarts:
    """Where the size fields of records stand.

    Attributes:
        places: a range while the records have one size and no gap between them; then an array.
        stride: bytes of each record, with its size field; 0 if there is none, and -1 if they differ.
    """

    __slots__ = ("places", "stride")

    def __init__(self) -> None:
        self.places: range | array[int] = range(0)
        self.stride = 0

    def __len__(self) -> int:
        return len(self.places)

    def add(self, at: int, count: int, stride: int) -> None:
        """Add `count` records of one size, of which the first stands at `at`."""
        places = self.places
        if not self.stride:
            self.stride = stride
        elif self.stride != stride:
            self.stride = -1
        if count == 1 and not isinstance(places, range):
            places.append(at)
            return
        more = range(at, at + count * stride, stride)
        if isinstance(places, range):
            if not places:
                self.places = more
                return
            if places.step == stride and places.stop == at:
                self.places = range(places.start, more.stop, stride)
                return
            self.places = places = array("q", places)
        places.extend(more)

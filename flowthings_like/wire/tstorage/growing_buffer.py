"""A buffer that grows without being copied."""

from __future__ import annotations

import mmap
import sys
from contextlib import suppress

__all__ = ["GrowingBuffer"]

_LARGE = 1 << 20  # bytes from which on it pays to have a mapping
_UNIT = 2 << 20  # a huge page


class GrowingBuffer:
    """Bytes that are added to at their end, some kilobytes or some gigabytes of them.

    While it is small it is a bytearray. A large bytearray is copied now and then when it grows, and has twice
    its memory then. So on Linux it becomes a private mapping: the kernel moves its pages, and takes memory
    for those that were written to. Huge pages save most of the time that it takes to hand them out.

    Attributes:
        data: a bytearray or a mapping. What was added are its first `size` bytes.
        size: how many there are.
    """

    __slots__ = ("data", "size")

    def __init__(self, data: bytes | bytearray = b"") -> None:
        self.data: bytearray | mmap.mmap = bytearray(data)
        self.size = len(data)

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end.

        Raises:
            MemoryError: there is not enough memory.
            BufferError: a view of the data exists, and it would have to be moved.
        """
        size = self.size + len(data)
        if isinstance(self.data, bytearray):
            if size <= _LARGE or sys.platform != "linux":
                self.data += data
                self.size = size
                return
            self.data = self._as_mapping(self.data, size)
        elif size > len(self.data):
            try:
                self.data.resize(_round_up(max(size, len(self.data) * 9 // 8)))
            except OSError as error:
                raise MemoryError(f"no memory for {size} bytes") from error
        self.data[self.size : size] = data
        self.size = size

    def _as_mapping(self, data: bytearray, size: int) -> mmap.mmap:
        """A mapping with the data so far, and room for `size` bytes."""
        try:
            mapping = mmap.mmap(-1, _round_up(size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError as error:
            raise MemoryError(f"no memory for {size} bytes") from error
        with suppress(OSError):  # a kernel without huge pages
            mapping.madvise(mmap.MADV_HUGEPAGE)
        mapping[: len(data)] = data
        return mapping


def _round_up(size: int) -> int:
    return -(-size // _UNIT) * _UNIT

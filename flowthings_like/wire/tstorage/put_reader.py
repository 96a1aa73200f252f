"""Reads the batches of a put on a server."""

from __future__ import annotations

from array import array
from itertools import repeat

from .block import RecordBlock
from .layout import BATCH, I32, Form
from .scan import RecordStarts, count_run

__all__ = ["PutReader"]


class PutReader:
    """Reads the batches of one put, from its header to the end mark.

    Args:
        form: Form.PUT or Form.PUTA.
        max_payload: bytes of a payload, at most.

    Attributes:
        is_done: whether the end mark has been read.
        problem: what is wrong with what came; "" if nothing is. It is not read any further then.
    """

    __slots__ = ("_cid", "_counts", "_form", "_left", "_max_size", "_read_cids", "_starts", "is_done",
                 "problem")  # fmt: skip

    def __init__(self, form: Form, max_payload: int) -> None:
        self.is_done = False
        self.problem = ""
        self._form = form
        self._max_size = form.key_size + max_payload
        self._cid = 0
        self._left = 0  # bytes of the batch that were not read
        self._starts = RecordStarts()
        self._read_cids: list[int] = []
        self._counts: list[int] = []

    def read(self, data: bytearray, at: int) -> int:
        """Read the whole records, heads of batches and end mark from `at` on. Returns where they end."""
        end = len(data)
        while not self.problem:
            if self._left:
                if at + 4 > end:
                    break
                count, stride = self._count_records(data, at, min(end, at + self._left))
                if not count:
                    break
                self._starts.add(at, count, stride)
                self._read_cids.append(self._cid)
                self._counts.append(count)
                self._left -= count * stride
                at += count * stride
            elif at + 4 <= end and I32.unpack_from(data, at)[0] < 0:
                self.is_done = True
                return at + 4
            elif at + 8 <= end:
                self._begin_batch(*BATCH.unpack_from(data, at))
                at += 8
            else:
                break
        return at

    def take(self, data: bytearray) -> RecordBlock | None:
        """The records that were read from `data`; None if there are none."""
        if not self._starts:
            return None
        block = RecordBlock(self._form, data, self._starts, _each_cid(self._read_cids, self._counts))
        self._starts, self._read_cids, self._counts = RecordStarts(), [], []
        return block

    def _begin_batch(self, cid: int, size: int) -> None:
        if size < 0 or 0 < size < 4 + self._form.key_size:
            self.problem = f"a batch of {size} bytes: it has none, or {4 + self._form.key_size} and more"
            return
        self._cid = cid
        self._left = size

    def _count_records(self, data: bytearray, at: int, end: int) -> tuple[int, int]:
        """How many whole records of one size stand here, and the bytes of each with its size field."""
        size, least, most = I32.unpack_from(data, at)[0], self._form.key_size, self._max_size
        stride = 4 + size
        if not least <= size <= most:
            self.problem = f"a record of {size} bytes: it has {least} to {most}, with its key"
        elif stride > self._left:
            self.problem = f"a record of {size} bytes goes beyond the end of its batch"
        elif at + stride <= end:
            return count_run(data, at, end, stride), stride
        return 0, stride


def _each_cid(cids: list[int], counts: list[int]) -> int | array[int]:
    """The cid of each record, for batches in turn; one number if all are equal."""
    if cids.count(cids[0]) == len(cids):
        return cids[0]
    each: array[int] = array("i")
    for cid, count in zip(cids, counts, strict=True):
        each.extend(repeat(cid, count))
    return each

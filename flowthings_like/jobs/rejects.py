"""The reject file: which rows were refused, and why."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson

from ..errors import InvalidInput
from ..files.writing import name_file

if TYPE_CHECKING:
    from .table import Refusal

__all__ = ["RejectFile", "as_json"]

_BEGIN = b'{"row":'


class RejectFile:
    """A file of NDJSON with a line for each refused row: `row`, `reason` and `values`.

    It is created with the first row. What an earlier load has written is removed; another file is not.

    Args:
        path: the file; None to keep none.
        size: how many bytes of the file count, which this load has written before.

    Raises:
        OSError: the file cannot be written.
        InvalidInput: it is shorter than `size`, or another kind of file.
    """

    def __init__(self, path: Path | None, size: int) -> None:
        self._path = path
        self._file: io.FileIO | None = None
        self.size = size
        if path is None:
            return
        if path.exists() and not path.is_file():
            raise InvalidInput(f"{path} is no file; give rejects the name of one, such as rejects.ndjson")
        if size:
            if path.stat().st_size < size:
                raise InvalidInput(f"{path} has lost rows since the load stopped; remove the checkpoint, too")
            os.truncate(path, size)  # what was written after the last checkpoint comes again
        else:
            _check_kind(path)
            path.unlink(missing_ok=True)
            if not os.access(path.parent, os.W_OK):
                raise PermissionError(13, "no file can be created in this folder", str(path.parent))

    def add(self, refusals: Iterable[Refusal]) -> None:
        """Write rows. They are on disk when it returns."""
        lines = b"".join(as_json(refusal) + b"\n" for refusal in refusals)
        if not lines or self._path is None:
            return
        if self._file is None:
            self._file = self._path.open("ab", buffering=0)
        try:
            left = memoryview(lines)
            while left:  # a full disk may take a part of them
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            name_file(error, self._path)
            raise
        self.size += len(lines)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> RejectFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_kind(path: Path) -> None:
    """Refuse to remove a file that no load has written, such as the source itself."""
    try:
        with path.open("rb") as file:
            begin = file.read(len(_BEGIN))
    except FileNotFoundError:
        return
    if begin not in (b"", _BEGIN):
        raise InvalidInput(f"{path} is not a reject file, and is not replaced; give another name")


def as_json(refusal: Refusal) -> bytes:
    """A refused row as an object of JSON. Values that JSON has not are texts."""
    told = {"row": refusal.row, "reason": refusal.reason, "values": refusal.values}
    try:
        return orjson.dumps(told, default=_text, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:  # integers beyond 64 bits, halves of surrogate pairs, depth
        reason = refusal.reason.encode(errors="backslashreplace").decode()
        return orjson.dumps({"row": refusal.row, "reason": reason, "values": repr(refusal.values)})


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # of a time of Arrow that Python cannot have
        return repr(value)

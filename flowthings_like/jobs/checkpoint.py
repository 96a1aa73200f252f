"""Checkpoint: how far a load is, in a small file, so that it goes on there after a crash.

The file is replaced as a whole, each time when some more rows are stored for good. What was under way when a
load was killed is delivered again, and stored once: each sink knows how (see the classes of sinks).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ..errors import ConfigurationError, InvalidInput
from ..files.file_lock import FileLock
from ..files.writing import replacing
from .table import Position

__all__ = ["Checkpoint", "Counts", "locked"]

_VERSION = 1
_NOT_WRITABLE = "no checkpoint can be written in this folder"


@dataclass(slots=True)
class Counts:
    """What became of the rows of a load so far.

    Attributes:
        rows: how many were read.
        stored: how many drops, points, records or rows of a table are stored.
        left_out: rows that the filter or the function has left out.
        refused: rows that could not be loaded.
        calls: calls that were made.
    """

    rows: int = 0
    stored: int = 0
    left_out: int = 0
    refused: int = 0
    calls: int = 0

    def add(self, other: Counts) -> None:
        """Add other counts."""
        self.rows += other.rows
        self.stored += other.stored
        self.left_out += other.left_out
        self.refused += other.refused
        self.calls += other.calls


@dataclass(slots=True)
class Checkpoint:
    """How far a load is.

    Attributes:
        settings: what has to be the same when it goes on.
        id: names the load.
        began: when it began first, in nanoseconds since 1970.
        position: all rows before it are done.
        counts: what became of them.
        rejects_size: bytes of the reject file.
        is_complete: whether all rows are done.
    """

    settings: dict[str, Any]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    began: int = field(default_factory=time.time_ns)
    position: Position = field(default_factory=Position)
    counts: Counts = field(default_factory=Counts)
    rejects_size: int = 0
    is_complete: bool = False

    def save(self, path: Path) -> None:
        """Write the file. It is on disk when it returns."""
        with replacing(path) as file:
            file.write(orjson.dumps({"version": _VERSION, **asdict(self)}, option=orjson.OPT_INDENT_2))

    @classmethod
    def load(cls, path: Path, settings: dict[str, Any]) -> Checkpoint | None:
        """Read a file; None if there is none.

        Raises:
            InvalidInput: it is no checkpoint, or that of another load.
            OSError: it cannot be read.
        """
        settings = orjson.loads(orjson.dumps(settings))
        try:
            found = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except orjson.JSONDecodeError:
            raise InvalidInput(f"{path} is not a checkpoint") from None
        if not isinstance(found, dict) or found.pop("version", None) != _VERSION:
            raise InvalidInput(f"{path} is not a checkpoint of this version")
        _check_settings(path, found["settings"], settings)
        found["position"] = Position(**found["position"])
        found["counts"] = Counts(**found["counts"])
        return cls(**found)


@contextmanager
def locked(path: Path | None) -> Iterator[None]:
    """A block in which no other load uses a checkpoint; if the path is None, there is none.

    The lock is on a file of its own, `NAME.lock`, because the checkpoint is replaced whenever it is saved.
    The system releases it when the process ends. The file stays.

    Raises:
        ConfigurationError: another load uses the checkpoint, or it cannot be locked.
        OSError: nothing can be written in its folder.
    """
    if path is None:
        yield
        return
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(13, _NOT_WRITABLE, str(path.parent))
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        if not _acquire(lock, path):
            raise ConfigurationError(
                f"{path} is the checkpoint of a load that runs now; wait until it has ended, or stop it; "
                f"another load needs a checkpoint of its own"
            )
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, path: Path) -> bool:
    try:
        return lock.acquire()
    except (ImportError, OSError) as error:
        raise ConfigurationError(
            f"{path} cannot be locked against other loads: {error}; give a checkpoint on a local disk"
        ) from error


def _check_settings(path: Path, then: dict[str, Any], now: dict[str, Any]) -> None:
    for name in {**now, **then}:
        if now.get(name) != then.get(name):
            raise InvalidInput(
                f"{path} is the checkpoint of another load: {name} was {then.get(name)!r}, and is "
                f"{now.get(name)!r}; give another checkpoint, or remove this one to load all rows"
            )

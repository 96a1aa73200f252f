"""Copies files, and computes what a manifest says of them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .manifest import CopiedFile

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["copy_checked", "describe", "sync_file", "sync_folder", "update_copy"]

_PIECE = 1 << 20


def update_copy(source: Path, target: Path, size: int | None = None) -> None:
    """Make `target` equal to `source`, writing only the pieces that differ.

    A second call soon after the first one mostly reads, and what it reads is in memory.

    Args:
        size: how much of the source; None for all.
    """
    mode = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    with source.open("rb") as reading, os.fdopen(os.open(target, mode, 0o600), "r+b") as writing:
        length = os.fstat(reading.fileno()).st_size if size is None else size
        position = 0
        while position < length:
            piece = reading.read(min(_PIECE, length - position))
            if not piece:
                break
            if writing.read(len(piece)) != piece:
                writing.seek(position)
                writing.write(piece)
            position += len(piece)
            writing.seek(position)
        writing.truncate(position)


def describe(folder: Path, name: str) -> CopiedFile:
    """What the manifest says of a file of the folder."""
    digest, size = hashlib.sha256(), 0
    with (folder / name).open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return CopiedFile(name, size, digest.hexdigest())


def copy_checked(reading: BinaryIO, target: Path, name: str, most: int) -> CopiedFile:
    """Write what is read into a new file, which is on disk when this returns. Returns what it is.

    Args:
        most: bytes after which it ends.
    """
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        while piece := reading.read(min(_PIECE, most - size)):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return CopiedFile(name, size, digest.hexdigest())


def sync_file(path: Path) -> None:
    """Have a file's content on disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Have the names in a folder on disk."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

"""Writes files that appear when they are complete, and the standard output."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

__all__ = ["name_file", "replacing", "stdout"]


def stdout() -> TextIO:
    """The standard output, for UTF-8 and lines that end as they are written."""
    found = sys.stdout
    assert isinstance(found, io.TextIOWrapper)
    found.reconfigure(encoding="utf-8", newline="")
    return found


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` if the block ends without an exception."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.chmod(name, 0o666 & ~_umask())  # noqa: PTH101
        os.replace(name, path)  # noqa: PTH105
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        name_file(error, path)
        raise


def name_file(error: BaseException, path: Path) -> None:
    """Let an OSError of a write, such as that of a full disk, say which file it was."""
    if isinstance(error, OSError) and error.errno is not None and error.filename is None:
        error.filename = str(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

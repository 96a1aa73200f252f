"""The platform's folder: made if it is missing, and readable by its owner alone.

The database is made without being opened: closing a second handle of a database releases the locks that
SQLite holds on it for the whole process.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from ...errors import ConfigurationError

__all__ = ["DATABASE", "database_url", "make_file", "open_folder"]

DATABASE = "platform.db"
"""The database in the folder."""

_FILES = (
    DATABASE,
    f"{DATABASE}-wal",
    f"{DATABASE}-shm",
    f"{DATABASE}-journal",
    "records.lock",
    "streams.lock",
    "things.lock",
    "serve.lock",
    "tasks.lock",
    "rights.mark",
    "drops.mark",
    "following.mark",
)
_FOLDERS = ("records", "streams")
"""Folders of ours in it. They are made when they are needed, and others may not look into them."""

_OPEN_TO_OTHERS = 0o077


def open_folder(place: str | os.PathLike[str]) -> Path:
    """The absolute path of the folder, which exists from now on.

    The folder's mode is 0700, as is that of folders of ours in it, and the mode of the files of ours is 0600,
    whatever the umask and whatever they were. A folder that holds other files too keeps its mode, because
    others may use it.

    Raises:
        ConfigurationError: it is no folder, cannot be made, or may not be written to.
    """
    folder = _path(place)
    database = folder / DATABASE
    try:
        _make(folder)
        for path in (folder, database):
            if path.exists() and not os.access(path, os.W_OK):
                raise ConfigurationError(
                    f"{str(path)!r} is read-only for this user, and the platform writes to it: "
                    "change its mode or owner, or choose another folder"
                )
        _close_to_others(folder)
    except (OSError, ValueError) as error:  # ValueError: a null byte
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{str(folder)!r} cannot be the platform's folder: {reason}") from error
    if database.exists() and not database.is_file():
        raise ConfigurationError(f"{str(database)!r} is no file, so it cannot be the platform's database")
    return folder


def database_url(folder: Path) -> str:
    """The URL of the database in a folder, wherever the platform keeps the rest of its data."""
    return f"sqlite:///{folder / DATABASE}"


def make_file(path: Path) -> None:
    """Make an empty file that its owner alone may read, unless it is there.

    Where that is not allowed, SQLite makes the file, or says why it cannot.
    """
    with suppress(FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError):
        os.mknod(path, 0o600)
        path.chmod(0o600)


def _path(place: str | os.PathLike[str]) -> Path:
    try:
        text = os.fsdecode(place)
    except TypeError:
        raise ConfigurationError(
            f"the platform's folder is a path, such as 'weather-data', not {place!r}"
        ) from None
    if not text.strip():
        raise ConfigurationError("the platform's folder needs a name, such as 'weather-data'")
    return Path(text).absolute()


def _make(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(0o700)  # a umask may have taken more than the others' rights


def _close_to_others(folder: Path) -> None:
    if {path.name for path in folder.iterdir()} <= {*_FILES, *_FOLDERS}:
        _restrict(folder, 0o700)
    make_file(folder / DATABASE)
    for name in _FOLDERS:
        with suppress(FileNotFoundError):
            _restrict(folder / name, 0o700)
    for name in _FILES:  # SQLite gives those that it makes later the mode of the database
        with suppress(FileNotFoundError):
            _restrict(folder / name, 0o600)


def _restrict(path: Path, mode: int) -> None:
    found = path.stat()
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & _OPEN_TO_OTHERS:
        path.chmod(mode)

"""Makes a folder of a copy."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import tarfile
import zlib
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigurationError
from ..leader.leader_lock import LeaderLock
from ..store.folder import DATABASE
from .backup import is_archive
from .copying import copy_checked, sync_folder
from .manifest import LARGEST, MANIFEST, CopiedFile, Manifest
from .partial import PartialFolder
from .snapshot import is_platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["Restored", "restore"]

_LOCKS = ("serve.lock", "things.lock", "streams.lock", "records.lock", "tasks.lock")
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class Restored:
    """A folder that was made.

    Attributes:
        manifest: what the copy held.
        former: where the folder is that was there before; None if there was none.
    """

    __slots__ = ("former", "manifest")

    def __init__(self, manifest: Manifest, former: Path | None) -> None:
        self.manifest = manifest
        self.former = former


def restore(source: Path, place: Path, *, replace: bool = False) -> Restored:
    """Make a platform's folder of a copy. All checksums are compared before the folder has its name.

    Args:
        source: what `back_up` has made.
        place: the folder. Unless it is empty, it must not be there.
        replace: put the new folder in the place of one with data, which is kept beside it under another name.

    Raises:
        ConfigurationError: `source` is no copy, or is damaged; `place` has data, or is in use.
    """
    has_data = place.exists() and (not place.is_dir() or any(place.iterdir()))
    if has_data and not replace:
        raise ConfigurationError(
            f"{str(place)!r} is not empty: name a new folder, or say --replace, "
            "which keeps the old one beside it"
        )
    if has_data and not is_platform(place):
        raise ConfigurationError(f"{str(place)!r} is no platform's folder, and will not be replaced by one")
    with ExitStack() as held:
        if has_data:
            held.enter_context(_unused(place))
        partial = held.enter_context(PartialFolder(place))
        folder = partial.path / "folder"
        folder.mkdir(mode=0o700)
        manifest = _unpack(source, folder)
        for path in (*(each for each in folder.iterdir() if each.is_dir()), folder):
            sync_folder(path)
        if not has_data:
            partial.rename(folder, place)
            return Restored(manifest, None)
        former = place.with_name(f"{place.name}.before-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}")
        partial.rename(folder, former)  # from here on it is complete, whatever happens
        _exchange(former, place)
        sync_folder(place.parent)
        return Restored(manifest, former)


def _unpack(source: Path, folder: Path) -> Manifest:
    """Copy the files of a copy into a folder, compared with the manifest."""
    try:
        with _opened(source) as files:
            manifest = Manifest.parse(files.manifest(), str(source))
            for expected in manifest.files:
                target = folder / expected.name
                target.parent.mkdir(mode=0o700, exist_ok=True)
                found = files.copy(expected, target)
                if found != expected:
                    raise ConfigurationError(
                        f"{str(source)!r} is damaged: {expected.name} is not what it was. "
                        "Nothing was restored"
                    )
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        # Of a file that is no archive at all the error has a line for each kind of archive.
        reason = "it is no .tar file" if "\n" in str(error) else error
        raise ConfigurationError(f"{str(source)!r} cannot be restored: {reason}") from error
    return manifest


class _FolderFiles:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def manifest(self) -> bytes:
        with (self._folder / MANIFEST).open("rb") as file:
            return file.read(LARGEST)

    def copy(self, expected: CopiedFile, target: Path) -> CopiedFile:
        with (self._folder / expected.name).open("rb") as file:
            return copy_checked(file, target, expected.name, expected.size + 1)


class _TarFiles:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def manifest(self) -> bytes:
        return self._next(MANIFEST).read(LARGEST)

    def copy(self, expected: CopiedFile, target: Path) -> CopiedFile:
        return copy_checked(self._next(expected.name), target, expected.name, expected.size + 1)

    def _next(self, name: str) -> BinaryIO:
        member = self._tar.next()
        if member is None or member.name != name or not member.isreg():
            raise tarfile.ReadError(f"it has no {name} where one is expected")
        opened: Any = self._tar.extractfile(member)
        found: BinaryIO = opened
        return found


@contextmanager
def _opened(source: Path) -> Iterator[_FolderFiles | _TarFiles]:
    if is_archive(source) or source.is_file():
        with tarfile.open(source, "r:*") as tar:
            yield _TarFiles(tar)
    elif (source / MANIFEST).is_file():
        yield _FolderFiles(source)
    else:
        raise ConfigurationError(f"{str(source)!r} is no backup of a platform: there is no {MANIFEST} in it")


@contextmanager
def _unused(place: Path) -> Iterator[None]:
    """A block in which no process begins to serve the folder.

    Raises:
        ConfigurationError: a process has it open.
    """
    with ExitStack() as held:
        for name in _LOCKS:
            lock = LeaderLock(place, name)
            if not lock.acquire():
                raise ConfigurationError(
                    f"{str(place)!r} is in use: stop the processes that have it open, and try again"
                )
            held.callback(lock.release)
        if not (place / DATABASE).exists():  # drops are on a server
            yield
            return
        with closing(sqlite3.connect(place / DATABASE, timeout=0, isolation_level=None)) as database:
            try:
                # A connection in WAL mode, even an idle one, keeps others from changing the mode.
                (mode,) = database.execute("PRAGMA journal_mode=DELETE").fetchone()
                database.execute("BEGIN EXCLUSIVE")  # until the folder has another name
            except sqlite3.OperationalError:
                mode = ""
            except sqlite3.DatabaseError:  # it is damaged, which may be why it is to be replaced
                mode = "delete"
            if mode != "delete":
                raise ConfigurationError(
                    f"{str(place)!r} is in use: stop the processes that have it open, and try again"
                )
            yield


def _exchange(one: Path, other: Path) -> None:
    """Let two folders swap their names, in one step where the system can do that."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        rename = None
    if (
        rename is not None
        and rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0
    ):
        return
    aside = one.with_name(f".{one.name}.aside")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)

"""Makes a copy of a folder: a folder, or one tar file."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigurationError
from .copying import describe, sync_file, sync_folder
from .manifest import MANIFEST, Manifest
from .partial import PartialFolder
from .snapshot import copy_folder, is_platform

__all__ = ["Backup", "back_up", "is_archive"]

_ARCHIVES = {".tar": "w", ".tar.gz": "w:gz", ".tgz": "w:gz"}
_OTHER_ARCHIVES = (".zip", ".7z", ".gz", ".bz2", ".xz", ".zst", ".tbz", ".txz")


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was made.

    Attributes:
        manifest: what it holds.
        held: seconds during which nothing was committed to streams and records.
    """

    manifest: Manifest
    held: float


def is_archive(path: Path) -> bool:
    """Whether a copy of this name is one file: .tar, .tar.gz or .tgz."""
    return path.name.lower().endswith(tuple(_ARCHIVES))


def back_up(place: Path, target: Path) -> Backup:
    """Copy a platform's folder, also while other processes use it.

    All files show the same moment. The copy appears under its name when it is complete and on disk.

    Args:
        place: the platform's folder. This process must not have it open.
        target: a folder, or a file that ends with .tar, .tar.gz or .tgz. It must not be there.

    Raises:
        ConfigurationError: `place` is no platform's folder; or `target` is there, is in it, has the name of
            another kind of archive or cannot be written.
    """
    if not is_platform(place):
        raise ConfigurationError(f"{str(place)!r} is no platform's folder: none of its databases is there")
    if target.exists() or target.is_symlink():
        raise ConfigurationError(f"{str(target)!r} is there already: name a new folder or file")
    if target.resolve().is_relative_to(place.resolve()):
        raise ConfigurationError(f"{str(target)!r} is in the folder that is copied: name another place")
    if not is_archive(target) and target.name.lower().endswith(_OTHER_ARCHIVES):
        raise ConfigurationError(
            f"{str(target)!r} cannot be made: the name of an archive ends with .tar, .tar.gz or .tgz"
        )
    with PartialFolder(target) as partial:
        folder = partial.path / "copy"
        folder.mkdir(mode=0o700)
        snapshot = copy_folder(place, folder)
        manifest = Manifest.of(snapshot.moment, [describe(folder, name) for name in snapshot.names])
        (folder / MANIFEST).write_bytes(manifest.encode())
        _sync(folder)
        made = _packed(folder, partial.path, target) if is_archive(target) else folder
        partial.rename(made, target)
    return Backup(manifest, snapshot.held)


def _packed(folder: Path, where: Path, target: Path) -> Path:
    name = target.name.lower()
    mode = next(mode for suffix, mode in _ARCHIVES.items() if name.endswith(suffix))
    archive = where / "archive"
    archive.touch(mode=0o600)
    manifest = Manifest.parse((folder / MANIFEST).read_bytes(), str(folder))
    with tarfile.open(archive, mode, format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        for file in (MANIFEST, *(each.name for each in manifest.files)):
            tar.add(folder / file, arcname=file, recursive=False)
    sync_file(archive)
    return archive


def _sync(folder: Path) -> None:
    sync_file(folder / MANIFEST)
    for path in folder.iterdir():
        if path.is_dir():
            sync_folder(path)
    sync_folder(folder)

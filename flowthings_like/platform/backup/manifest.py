"""The manifest of a copy: `manifest.json`, written last."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import orjson

from ...about import VERSION
from ...errors import ConfigurationError

__all__ = ["MANIFEST", "CopiedFile", "Manifest"]

MANIFEST = "manifest.json"
LARGEST = 1 << 20
"""Most bytes of a manifest."""

FORMAT = 1
"""It changes when an older program could not restore the copy."""

_NAME = re.compile(r"(?:(?:streams|records)/)?[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """One file of a copy.

    Attributes:
        name: its path in the folder, with `/`.
        size: bytes.
        sha256: of its content, in hex.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a copy holds.

    Attributes:
        created: the moment that the copy shows, ISO 8601 in UTC.
        files: all of its files.
    """

    created: str
    files: tuple[CopiedFile, ...]

    @classmethod
    def of(cls, created: datetime, files: list[CopiedFile]) -> Manifest:
        """The manifest of these files."""
        moment = created.astimezone(timezone.utc).isoformat(timespec="milliseconds")
        return cls(moment.replace("+00:00", "Z"), tuple(files))

    def encode(self) -> bytes:
        """The text of the file."""
        said: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "created": self.created,
            "files": [{"name": each.name, "size": each.size, "sha256": each.sha256} for each in self.files],
        }
        return orjson.dumps(said, option=orjson.OPT_INDENT_2)

    @classmethod
    def parse(cls, text: bytes, where: str) -> Manifest:
        """The manifest that a text is.

        Args:
            where: the copy, for messages.

        Raises:
            ConfigurationError: it is none, or that of a later version.
        """
        try:
            said = orjson.loads(text)
            if said["format"] != FORMAT:
                raise ConfigurationError(
                    f"{where} has format {said['format']!r}, and this version restores format {FORMAT}: "
                    "use the version that made it"
                )
            files = [CopiedFile(each["name"], each["size"], each["sha256"]) for each in said["files"]]
            created = str(said["created"])
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(where) from error
        for file in files:
            if not (isinstance(file.name, str) and _NAME.fullmatch(file.name)):
                raise ConfigurationError(f"{where} names a file that no platform has: {file.name!r}")
            if type(file.size) is not int or file.size < 0 or type(file.sha256) is not str:
                raise _damaged(where)
        return cls(created, tuple(files))


def _damaged(where: str) -> ConfigurationError:
    return ConfigurationError(f"{where} is no backup of a platform: its manifest is damaged")

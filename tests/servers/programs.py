"""Finds a server's program, or skips the test with the command that installs it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

__all__ = ["find_program"]

REQUIRED = "FLOWTHINGS_REQUIRE_SERVERS"


def find_program(name: str, package: str, folders: str = "/usr/sbin") -> str:
    """The path of a program from $PATH or from `folders`, a pattern; of several versions, the newest.

    If there is none, the test is skipped. With FLOWTHINGS_REQUIRE_SERVERS=1, it fails instead.
    """
    found = shutil.which(name)
    if found is not None:
        return found
    candidates = sorted(Path("/").glob(f"{folders.lstrip('/')}/{name}"), key=_version)
    if candidates:
        return str(candidates[-1])
    message = f"{name} is not installed: apt-get install {package}"
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{message}  ({REQUIRED}=1 forbids to skip this test)")
    pytest.skip(message)


def _version(path: Path) -> list[int]:
    return [int(part) for part in path.parts if part.isdigit()]

"""Tells what the line of code that blocks a hub waits for: SQLite, DuckDB or a file."""

from __future__ import annotations

import linecache
import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["blocked_on"]

# Modules whose objects block in the kernel: for a disk, or for another process that holds a lock.
_WAITING = {
    "sqlite3": "SQLite",
    "_sqlite3": "SQLite",
    "duckdb": "DuckDB",
    "_duckdb": "DuckDB",
    "_io": "a file",
}
_CALLED = re.compile(r"([A-Za-z_][\w.]*)\.\w+\s*\(")


def blocked_on(frame: FrameType) -> str | None:
    """What the call in the frame's current line waits for: "SQLite", "DuckDB" or "a file"; None if neither.

    A frame does not tell which C function it is in. But its line names the object whose method is called, and
    the frame's variables have that object.
    """
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals)
    for called in _CALLED.findall(line):
        owner = _look_up(called.split("."), frame)
        kind = owner.__name__ if isinstance(owner, ModuleType) else type(owner).__module__
        if kind in _WAITING:
            return _WAITING[kind]
    return None


def _look_up(names: list[str], frame: FrameType) -> Any:
    """The object with a dotted name, looked up without running properties or `__getattr__`."""
    found = frame.f_locals.get(names[0], frame.f_globals.get(names[0]))
    for name in names[1:]:
        try:
            found = object.__getattribute__(found, "__dict__").get(name)
        except AttributeError:
            return None
    return found

"""Tells what gevent and eventlet have monkey-patched in the standard library, without importing them."""

from __future__ import annotations

import sys

__all__ = ["LIBRARIES", "PATCH", "is_patched", "missing_parts", "patching_library"]

LIBRARIES = ("gevent", "eventlet")

PATCH = {
    "gevent": "`from gevent import monkey; monkey.patch_all()`",
    "eventlet": "`import eventlet; eventlet.monkey_patch()`",
}
"""The first lines of a program in which a library patches everything."""

# Blocking code yields only if all of these are patched. The names are each library's own: eventlet answers
# False for "threading" and "ssl", although it patches them with "thread" and "socket".
_PARTS = {
    "gevent": {"socket": "socket", "ssl": "ssl", "select": "select", "thread": "threading", "time": "time"},
    "eventlet": {"socket": "socket", "select": "select", "thread": "thread", "time": "time"},
}


def is_patched(library: str, part: str = "socket") -> bool:
    """Whether that library has patched that part of the standard library."""
    name = _PARTS[library].get(part, part)
    if library == "gevent":
        monkey = sys.modules.get("gevent.monkey")
        return monkey is not None and bool(monkey.is_module_patched(name))
    patcher = sys.modules.get("eventlet.patcher")
    return patcher is not None and bool(patcher.is_monkey_patched(name))


def missing_parts(library: str) -> list[str]:
    """The parts that a library has not patched, although blocking code needs them."""
    return [part for part in _PARTS[library] if not is_patched(library, part)]


def patching_library() -> str | None:
    """The library that has patched any part; gevent if both have; None if neither."""
    for library in LIBRARIES:
        if len(missing_parts(library)) < len(_PARTS[library]):
            return library
    return None

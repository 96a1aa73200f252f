"""Checks of the monkey-patching: which library, which parts, when, in which thread. G01 to G04, G09."""

from __future__ import annotations

import sys

from ...green.backends.patched import LIBRARIES, PATCH, is_patched, missing_parts, patching_library
from ...green.findings import Finding
from .leftovers import holds_unpatched_context, unpatched_leftovers

__all__ = [
    "both_patched",
    "context_taken_early",
    "imported_unpatched",
    "partly_patched",
    "patched_late",
    "patched_off_main_thread",
]


def both_patched() -> Finding | None:
    """G01: both gevent and eventlet have patched."""
    if not all(is_patched(library) for library in LIBRARIES):
        return None
    return Finding(
        "G01",
        "error",
        "both gevent and eventlet have monkey-patched this process",
        "each waits in a hub of its own, which never lets the other's green threads run",
        "remove one of the two calls that patch; keep gevent's if you can choose",
    )


def imported_unpatched() -> Finding | None:
    """G02: a green library is imported, and nothing is patched."""
    library = next((name for name in LIBRARIES if name in sys.modules), None)
    if library is None or patching_library() is not None:
        return None
    return Finding(
        "G02",
        "warning",
        f"{library} is imported, and nothing is monkey-patched",
        "a network call in a green thread then stops all the others until it is answered",
        f"{PATCH[library]} as the first lines of the program; nothing, if its green threads make no calls",
    )


def partly_patched() -> Finding | None:
    """G03: only some of the parts that must be patched together are patched."""
    library = patching_library()
    missing = missing_parts(library) if library else []
    if not missing:
        return None
    names = ", ".join(missing)
    return Finding(
        "G03",
        "error",
        f"{library} has monkey-patched this process, but not {names}",
        f"waiting in {names} stops every green thread, and locks shared between them can hang the process",
        f"{PATCH[library or 'gevent']} without arguments, before anything else patches a part",
    )


def patched_late() -> Finding | None:
    """G04: modules took unpatched parts of the standard library before it was patched."""
    library = patching_library()
    return _late(library, unpatched_leftovers()) if library else None


def context_taken_early() -> Finding | None:
    """G04 for network calls only, because it is cheap: urllib3 took its SSLContext before the patching."""
    library = patching_library()
    return _late(library, ["urllib3.util.ssl_.SSLContext"]) if library and holds_unpatched_context() else None


def _late(library: str, leftovers: list[str]) -> Finding | None:
    if not leftovers:
        return None
    shown = ", ".join(leftovers[:4]) + (f" and {len(leftovers) - 4} more" if len(leftovers) > 4 else "")
    return Finding(
        "G04",
        "error",
        f"unpatched parts are in use, taken before {library} patched: {shown}",
        "an SSLContext recurses without end, a Lock hangs the process, an RLock lets everybody in at once",
        f"{PATCH[library]} as the first lines of the program, before these are imported",
    )


def patched_off_main_thread() -> Finding | None:
    """G09: the patching was done in another OS thread than the main one.

    gevent sets an attribute of the main thread. A forked child has a new main thread without it, whose ident
    is that of a greenlet; a main thread that was never patched has the ident of its OS thread. eventlet's
    patching only makes a hub, in the thread that patches. So the check is made in the main thread, and finds
    nothing once the main thread has used eventlet.
    """
    import threading

    library = patching_library()
    main = threading.main_thread()
    if library == "gevent":
        marked = "thread" in missing_parts(library) or hasattr(main, "_greenlet")
        off = not marked and main.ident in sys._current_frames()
    elif library == "eventlet":
        hubs = sys.modules["eventlet.hubs"]
        here = main.ident == hubs.threading.get_ident()  # eventlet's unpatched copy of `threading`
        off = here and getattr(hubs._threadlocal, "hub", None) is None
    else:
        off = False
    if not off:
        return None
    return Finding(
        "G09",
        "error",
        f"{library} has monkey-patched this process from another OS thread than the main one",
        "the main thread keeps its unpatched identity: joining it hangs, and its locks do not give way",
        f"{PATCH[library or 'gevent']} in the main thread, before any thread is started",
    )

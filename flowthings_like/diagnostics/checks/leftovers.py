"""Parts of the standard library that modules took while it was not patched yet."""

from __future__ import annotations

import sys
from types import BuiltinFunctionType
from typing import Any

__all__ = ["holds_unpatched_context", "unpatched_leftovers"]

# They keep the originals on purpose.
_GREEN = ("gevent", "eventlet", "greenlet")
# Celery's worker patches as its own first step, and these are what it imports before that. It calls the
# functions among them between attempts to reconnect; a lock or a context would hurt there as anywhere.
_CELERY = ("amqp", "billiard", "celery", "kombu", "vine")
# How an original can be told without asking either library: where it says that it was defined.
_CLASSES = {("ssl", "SSLContext"), ("socket", "socket"), ("_thread", "RLock"), ("_thread", "_local")}
if sys.version_info >= (3, 13):
    _CLASSES |= {("_thread", "lock")}  # threading.Lock is the class itself
_FUNCTIONS = {("time", "sleep"), ("_thread", "allocate_lock"), ("select", "select")}
_LOCKS = {("_thread", "lock"), ("_thread", "RLock")}


def unpatched_leftovers() -> list[str]:
    """The names of module attributes that are unpatched originals, or locks made of them, such as
    "urllib3.util.ssl_.SSLContext". The standard library's own modules are the green libraries' to mend."""
    found = []
    for name, module in sorted(sys.modules.items()):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names - {"__main__"} or top in _GREEN or _is_alias(name, module):
            continue
        # A copy, since other threads import; and no getattr, which a lazy module would answer by importing.
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if _is_original(value) and not (top in _CELERY and isinstance(value, BuiltinFunctionType)):
                found.append(f"{name}.{attribute}")
    return found


def holds_unpatched_context() -> bool:
    """Whether urllib3 took its SSLContext before the patching: the cheap part of the question."""
    taken = getattr(sys.modules.get("urllib3.util.ssl_"), "SSLContext", None)
    return taken is not None and taken is not getattr(sys.modules.get("ssl"), "SSLContext", None)


def _is_alias(name: str, module: Any) -> bool:
    """Whether it is known by another name, or is a copy that a green library made for itself."""
    return getattr(module, "__name__", name) != name or name.startswith(("__original_", "__patched_"))


def _is_original(value: Any) -> bool:
    kind = type(value)
    if (kind.__module__, kind.__name__) in _LOCKS:
        return True
    if kind is type or issubclass(kind, type):
        return (value.__module__, value.__name__) in _CLASSES
    return kind is BuiltinFunctionType and (value.__module__, value.__name__) in _FUNCTIONS

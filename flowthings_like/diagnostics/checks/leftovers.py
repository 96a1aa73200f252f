"""Finds unpatched parts of the standard library that modules imported before the patching."""

from __future__ import annotations

import sys
from types import BuiltinFunctionType
from typing import Any

__all__ = ["holds_unpatched_context", "unpatched_leftovers"]

# These keep the originals on purpose.
_GREEN = ("gevent", "eventlet", "greenlet")
# Celery's worker imports these before it patches. It calls the unpatched functions among them only between
# attempts to reconnect, so they are ignored. An unpatched lock or context is reported here too.
_CELERY = ("amqp", "billiard", "celery", "kombu", "vine")
# click keeps a stack of contexts for each OS thread. The main one has that of the process's own command.
# The command `flowthings-like` itself is made with click.
_HARMLESS = {("click.globals", "local")}
# An original is recognised by the module in which it says that it was defined. This needs neither library.
_CLASSES = {("ssl", "SSLContext"), ("socket", "socket"), ("_thread", "RLock"), ("_thread", "_local")}
if sys.version_info >= (3, 13):
    _CLASSES |= {("_thread", "lock")}  # threading.Lock is the class itself
_FUNCTIONS = {("time", "sleep"), ("_thread", "allocate_lock"), ("select", "select")}
_LOCKS = {("_thread", "lock"), ("_thread", "RLock")}


def unpatched_leftovers() -> list[str]:
    """The names of module attributes that are unpatched originals, or locks made from them, such as
    "urllib3.util.ssl_.SSLContext". The standard library is left out, because the green libraries patch it."""
    found = []
    for name, module in sorted(sys.modules.items()):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names - {"__main__"} or top in _GREEN or _is_alias(name, module):
            continue
        # A copy, because other threads may import. Not `getattr`, because a lazy module would import then.
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if (name, attribute) in _HARMLESS:
                continue
            if _is_original(value) and not (top in _CELERY and isinstance(value, BuiltinFunctionType)):
                found.append(f"{name}.{attribute}")
    return found


def holds_unpatched_context() -> bool:
    """Whether urllib3 imported SSLContext before the patching: a cheap check of one module."""
    taken = getattr(sys.modules.get("urllib3.util.ssl_"), "SSLContext", None)
    return taken is not None and taken is not getattr(sys.modules.get("ssl"), "SSLContext", None)


def _is_alias(name: str, module: Any) -> bool:
    """Whether a module is an alias of another one, or a copy that a green library has made."""
    return getattr(module, "__name__", name) != name or name.startswith(("__original_", "__patched_"))


def _is_original(value: Any) -> bool:
    kind = type(value)
    if (kind.__module__, kind.__name__) in _LOCKS:
        return True
    if kind is type or issubclass(kind, type):
        return (value.__module__, value.__name__) in _CLASSES
    return kind is BuiltinFunctionType and (value.__module__, value.__name__) in _FUNCTIONS

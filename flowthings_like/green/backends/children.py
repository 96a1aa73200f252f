"""Calls methods in forked children, which so let go of what they have inherited from their parent."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from types import MethodType
from typing import cast
from weakref import WeakKeyDictionary

__all__ = ["call_in_children"]

_living: WeakKeyDictionary[object, Callable[[object], object]] = WeakKeyDictionary()
_watching: list[bool] = []


def call_in_children(method: Callable[[], object]) -> None:
    """Have a method of an object called in each child that this process forks, while the object lives.

    A child forgets what it has called: its own children inherit what it has registered itself. A server that
    forks in C, such as uWSGI, runs no hook of Python's.

    Args:
        method: a bound method, one for each object. It must wait for nothing; an OSError is left alone.
    """
    if not _watching:
        _watching.append(True)
        os.register_at_fork(after_in_child=_call)
    bound = cast("MethodType", method)
    _living[bound.__self__] = bound.__func__


def _call() -> None:
    found = list(_living.items())
    _living.clear()
    for inherited, method in found:
        with suppress(OSError):
            method(inherited)

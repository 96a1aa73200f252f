"""Time-outs of single steps that keep to one deadline: each is what is left until then.

Nothing can interrupt a thread that waits in a socket's call, so the deadline is kept by the calls themselves.
"""

from __future__ import annotations

from time import monotonic

__all__ = ["earlier", "sooner"]


def sooner(timeout: float | None, until: float | None) -> float | None:
    """The time-out for one step, which must be over by `until`.

    Raises:
        TimeoutError: it should be over already.
    """
    if until is None:
        return timeout
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left if timeout is None else min(timeout, left)


def earlier(one: float | None, other: float | None) -> float | None:
    """The first of two moments; None is never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)

"""Finds the rows of a call that make it fail: halves what was refused until each call succeeds or has one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..table import Refusal
from .base import Outcome, Run, check_refusals

__all__ = ["send_halving"]


def send_halving(
    send: Callable[[Sequence[Any], Sequence[int]], int],
    items: Sequence[Any],
    numbers: Sequence[int],
    refusals: tuple[type[Exception], ...],
    run: Run,
) -> Outcome:
    """Store items with as few calls as possible, without those that cannot be stored.

    Args:
        send: stores some of them, all or none, and returns how many it has stored.
        numbers: of which row each is.
        refusals: what `send` raises if one of the items cannot be stored.

    Raises:
        TooManyRefusals: too many cannot.
        Exception: what else `send` raises.
    """
    outcome = Outcome()
    waiting = [(0, len(items))]
    while waiting:
        first, end = waiting.pop()
        run.wait()
        outcome.calls += 1
        try:
            outcome.stored += send(items[first:end], numbers[first:end])
        except refusals as error:
            if end - first == 1:
                outcome.refusals.append(Refusal(numbers[first], str(error), items[first]))
                check_refusals(len(outcome.refusals), outcome.refusals[-1], run)
            else:
                middle = (first + end) // 2
                waiting += [(middle, end), (first, middle)]
    return outcome

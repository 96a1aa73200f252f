"""The ranges of requests: which ones are refused, and how one is searched for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.tstorage.record import FIELDS
from .problems import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...wire.tstorage.record import Key

__all__ = ["BadRange", "check_acq", "check_get", "conditions"]


class BadRange(Refused):
    """A range that no request may have."""


def check_acq(low: Key, high: Key, horizon: int) -> None:
    """Raise BadRange if GETACQ refuses the range. An empty one is fine.

    Args:
        low, high: the range's keys.
        horizon: the present horizon, or the time if that is later.
    """
    if low.cid < 0 or high.cid < 0:
        raise BadRange("cid is at least 0")
    if low.acq > horizon:
        raise BadRange("the lowest acq is later than the time")


def check_get(low: Key, high: Key, horizon: int) -> None:
    """Raise BadRange if GET refuses the range: as GETACQ does, and if no key could be in it."""
    check_acq(low, high, horizon)
    for name, least, limit in zip(FIELDS, low, high, strict=True):
        if least >= limit:
            raise BadRange(f"no {name} is at least {least} and less than {limit}")


def conditions(low: Key, high: Key, horizon: int) -> str:
    """The range as a condition of SQL.

    A bound that every stored record satisfies is left out: the lowest number of a field, and its highest,
    which none has. So the others have the columns' own types; otherwise DuckDB would convert each value.
    """
    return " and ".join(_bounds(low, high._replace(acq=min(high.acq, horizon)))) or "true"


def _bounds(low: Key, high: Key) -> Iterator[str]:
    for (name, (lowest, highest)), least, limit in zip(FIELDS.items(), low, high, strict=True):
        if least > lowest:
            yield f"{name} >= {least}"
        if limit == lowest:
            yield "false"
        elif limit < highest:
            yield f"{name} < {limit}"

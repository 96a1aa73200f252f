"""Statistics: how often something happened, by year, month, day or hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from ...transport.values import resolve
from .resource import BaseService, id_path

if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from ...green.calls.thunk import GreenThunk
    from .given import Id

    Whole: TypeAlias = int | str | GreenThunk[int]
    Level: TypeAlias = (
        Literal["year", "month", "day", "hour", "YEAR", "MONTH", "DAY", "HOUR"] | GreenThunk[str]
    )

__all__ = ["StatisticsService"]

_LEVELS = ("YEAR", "MONTH", "DAY", "HOUR")
_DATE = (("year", 1, 9999), ("month", 1, 12), ("day", 1, 31))


class StatisticsService(BaseService):
    """`api.statistics`. Each statistic takes the id it is about and the time it is asked for.

    Args (of every statistic):
        year, month, day: from the outside in, whole numbers; a month needs a year, a day needs a month.
        level: "year", "month", "day" or "hour", in either case: how fine to count.

    Returns (every statistic): a list of counts, twelve for a year, one a day for a month, 24 for a day.

    Raises (every statistic): InvalidInput for a date or level that is none.
    """

    name = "statistics"
    path = "/statistics"

    def flow_drop_added(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> list[int]:
        """Drops added to a flow."""
        return self._count("flowDropAdded", id, (year, month, day), level, params)

    def flow_tracked(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> list[int]:
        """Drops that tracks carried out of a flow."""
        return self._count("flowTracked", id, (year, month, day), level, params)

    def track_hit(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> list[int]:
        """Drops that reached a track."""
        return self._count("trackHit", id, (year, month, day), level, params)

    def track_pass(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> list[int]:
        """Drops that passed a track's filter."""
        return self._count("trackPass", id, (year, month, day), level, params)

    def api_call_by_identity(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> list[int]:
        """Requests that an identity made."""
        return self._count("apiCallByIdentity", id, (year, month, day), level, params)

    def drop_created_by(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> list[int]:
        """Drops that an identity created."""
        return self._count("dropCreatedBy", id, (year, month, day), level, params)

    flowDropAdded = flow_drop_added
    flowTracked = flow_tracked
    trackHit = track_hit
    trackPass = track_pass
    apiCallByIdentity = api_call_by_identity
    dropCreatedBy = drop_created_by

    def _count(
        self, name: str, id: Any, date: tuple[Any, ...], level: Any, params: dict[str, Any]
    ) -> list[int]:
        if level is not None:
            params["level"] = _level(resolve(level))
        counts: list[int] = self._call("GET", f"/{name}{id_path(id)}{_date_path(date)}", None, params)
        return counts


def _date_path(date: tuple[Any, ...]) -> str:
    path, missing = "", ""
    for (name, least, most), given in zip(_DATE, date, strict=True):
        value = resolve(given)
        if value is None:
            missing = missing or name
        elif missing:
            raise InvalidInput(f"statistics: a {name} needs a {missing}")
        elif not _is_whole(value) or not least <= int(value) <= most:
            raise InvalidInput(f"statistics: {name} is {value!r}; give a whole number from {least} to {most}")
        else:
            path += f"/{int(value)}"
    return path


def _is_whole(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdigit()
    return isinstance(value, int) and not isinstance(value, bool)


def _level(level: Any) -> str:
    if isinstance(level, str) and level.upper() in _LEVELS:
        return level
    raise InvalidInput(f"statistics: level is {level!r}; give one of year, month, day, hour")

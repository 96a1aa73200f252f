"""Statistics: how often something happened, by year, month, day or hour."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from ...errors import InvalidInput
from ...transport.outgoing_values import resolve
from ...wire.rest import LEVELS
from .resource import BaseService, id_path

if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from ...green.calls.thunk import GreenThunk
    from .arguments import Id

    Whole: TypeAlias = int | str | GreenThunk[int]
    Level: TypeAlias = (
        Literal["year", "month", "day", "hour", "YEAR", "MONTH", "DAY", "HOUR"] | GreenThunk[str]
    )

__all__ = ["StatisticsService"]

_DATE = {"year": range(1, 10_000), "month": range(1, 13), "day": range(1, 32)}

Q = ParamSpec("Q")


def _statistic(
    count: Callable[Concatenate[StatisticsService, str, Q], list[int]], name: str, meaning: str
) -> Callable[Concatenate[StatisticsService, Q], list[int]]:
    """The method for one statistic: `count` with the statistic's name filled in, and a docstring."""

    def statistic(self: StatisticsService, /, *args: Q.args, **params: Q.kwargs) -> list[int]:
        return count(self, name, *args, **params)

    statistic.__name__, statistic.__doc__ = name, meaning
    statistic.__qualname__ = f"StatisticsService.{name}"
    own = inspect.signature(count)
    arguments = [argument for argument in own.parameters.values() if argument.name != "name"]
    statistic.__signature__ = own.replace(parameters=arguments)  # type: ignore[attr-defined]
    statistic.__annotations__ = {part: kind for part, kind in count.__annotations__.items() if part != "name"}
    return statistic


class StatisticsService(BaseService):
    """`api.statistics`. Every statistic takes the id of a resource, and a year, a month or a day.

    - year, month, day are whole numbers. A month needs a year, and a day needs a month.
    - level is "year", "month", "day" or "hour", in lower or upper case: the time span of one count.

    It returns a list of counts: 12 for a year, one for each day of a month, 24 for a day. It raises
    InvalidInput for a date or a level that does not exist.
    """

    name = "statistics"
    path = "/statistics"

    def _of_flow(
        self,
        name: str,
        /,
        flow_id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> list[int]:
        return self._counts(name, flow_id, _date_path(year, month, day), level, params)

    def _of_track(
        self,
        name: str,
        /,
        track_id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> list[int]:
        return self._counts(name, track_id, _date_path(year, month, day), level, params)

    def _of_identity(
        self,
        name: str,
        /,
        identity_id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> list[int]:
        return self._counts(name, identity_id, _date_path(year, month, day), level, params)

    def _counts(self, name: str, id: Id, date: str, level: Level | None, params: dict[str, Any]) -> list[int]:
        if level is not None:
            params["level"] = _level(resolve(level))
        counts: list[int] = self._call("GET", f"/{name}{id_path(id)}{date}", None, params)
        return counts

    flow_drop_added = flowDropAdded = _statistic(_of_flow, "flowDropAdded", "Drops added to a flow.")
    flow_tracked = flowTracked = _statistic(
        _of_flow, "flowTracked", "Drops that tracks carried out of a flow."
    )
    track_hit = trackHit = _statistic(_of_track, "trackHit", "Drops that reached a track.")
    track_pass = trackPass = _statistic(_of_track, "trackPass", "Drops that passed a track's filter.")
    api_call_by_identity = apiCallByIdentity = _statistic(
        _of_identity, "apiCallByIdentity", "Requests that an identity made."
    )
    drop_created_by = dropCreatedBy = _statistic(
        _of_identity, "dropCreatedBy", "Drops that an identity created."
    )


def _date_path(*date: Any) -> str:
    """`/2026/11` for a year and a month. A month needs a year, and a day needs a month."""
    path, missing = "", ""
    for (name, allowed), given in zip(_DATE.items(), date, strict=True):
        value = resolve(given)
        if value is None:
            missing = missing or name
        elif missing:
            raise InvalidInput(f"statistics: a {name} needs a {missing}")
        elif not _is_whole(value) or int(value) not in allowed:
            raise InvalidInput(
                f"statistics: {name} is {value!r}; give a whole number from {allowed[0]} to {allowed[-1]}"
            )
        else:
            path += f"/{int(value)}"
    return path


def _is_whole(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdigit()
    return isinstance(value, int) and not isinstance(value, bool)


def _level(level: Any) -> str:
    if isinstance(level, str) and level.upper() in LEVELS:
        return level
    raise InvalidInput(f"statistics: level is {level!r}; give one of year, month, day, hour")

"""The options of a pool: adbapi's, and those that are this library's own. All begin with `cp_`."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PoolOptions"]


@dataclass(frozen=True)
class PoolOptions:
    """How a pool behaves. Each is an argument of `ConnectionPool` with `cp_` before its name.

    Attributes:
        min: how many idle connections stay open for any time. None is opened before it is needed. A pool
            whose `max` is smaller than the default has `max` in its place.
        max: how many connections there may be; under gevent and eventlet, in each OS thread that makes calls.
        name: what messages and logs call the pool.
        noisy: whether each statement is logged, without its parameters.
        openfun: called with each new DB-API connection before it is used.
        reconnect: whether a connection is checked before it is used, so that callers do not see those that
            the server has closed. (adbapi's default is False.)
        good_sql: the statement of the check that makes a round trip.
        timeout: seconds to wait for a free connection; None waits for ever.
        idle: seconds after which an idle connection is checked by a round trip before it is used, or closed
            if there are more than `min`.
        lifetime: seconds after which a connection is not used again; None for no limit.
        native: True runs the driver's calls in OS threads, False in place; None decides by the driver.
        placeholders: True to write `?` or `:name` for parameters, whatever the driver wants.
    """

    min: int = 3
    max: int = 5
    name: str | None = None
    noisy: bool = False
    openfun: Callable[[Any], object] | None = None
    reconnect: bool = True
    good_sql: str = "select 1"
    timeout: float | None = 30.0
    idle: float = 60.0
    lifetime: float | None = 3600.0
    native: bool | None = None
    placeholders: bool = False

    def __post_init__(self) -> None:
        for name, least in (("max", 1), ("min", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InvalidInput(f"cp_{name} is {value!r}; give a whole number, {least} or more")
        if self.min > self.max:
            raise InvalidInput(f"cp_min is {self.min} and cp_max is {self.max}; cp_min may not be larger")
        for name in ("timeout", "idle", "lifetime"):
            value = getattr(self, name)
            if value is None and name != "idle":
                continue
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or math.isnan(value) or value < 0:
                raise InvalidInput(f"cp_{name} is {value!r}; give seconds, 0 or more")
        if self.openfun is not None and not callable(self.openfun):
            raise InvalidInput(f"cp_openfun is {self.openfun!r}; give a function that takes the connection")

    @classmethod
    def taken_from(cls, kwargs: dict[str, Any]) -> PoolOptions:
        """The options among a pool's keyword arguments, which are removed there.

        Raises:
            InvalidInput: an option has an unknown name or a value that cannot be used.
        """
        known = [field.name for field in fields(cls)]
        given = {name[3:]: kwargs.pop(name) for name in list(kwargs) if name.startswith("cp_")}
        unknown = sorted(given.keys() - set(known))
        if unknown:
            names = ", ".join(f"cp_{name}" for name in unknown)
            raise InvalidInput(
                f"unknown {names}; the options are {', '.join(f'cp_{name}' for name in known)}"
            )
        most = given.get("max")
        if isinstance(most, int) and most < cls.min:
            given.setdefault("min", most)
        return cls(**given)

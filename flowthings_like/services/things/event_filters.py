"""Filters of events: what `where=` means in `@event`, `room.on` and `room.events`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from ...errors import InvalidInput
from ...filters import Filter, parse
from ...filters.predicate import compile_predicate
from ...filters.values import ELEMENTS, TYPES, Document
from ...transport.outgoing_values import resolve

__all__ = ["EventTest", "event_filter", "event_test"]

_log = logging.getLogger("flowthings_like")

EventTest: TypeAlias = "Callable[[Any], bool]"
"""Returns whether the arguments of an event match a filter. It never raises."""


def event_filter(where: Any) -> Filter | None:
    """The filter that an argument `where` stands for: a filter, its text, or None for every event.

    Raises:
        InvalidInput: it is none of these, or its text is no filter.
    """
    where = resolve(where)
    if where is None or isinstance(where, Filter):
        return where
    if isinstance(where, str):
        return parse(where)
    raise InvalidInput(f"where is a filter, such as mem.wind > 30, or its text, not {where!r:.60}")


def event_test(where: Filter | None) -> EventTest | None:
    """The test of an event's arguments; None if every event matches.

    The document that the filter sees is the event's first argument. An event whose first argument is no map
    matches no filter.

    Raises:
        InvalidInput, ConfigurationError: the filter cannot be evaluated; see `compile_predicate`.
    """
    if where is None:
        return None
    matches = compile_predicate(where)

    def test(args: Any) -> bool:
        if not args or type(args[0]) is not dict:
            return False
        try:
            return matches(_document(args[0]), int(time.time() * 1000))
        except Exception as error:  # one event must not stop those behind it, whatever somebody put into it
            _log.debug("an event could not be tested with %s: %s", where, type(error).__name__)
            return False

    return test


def _document(map: dict[str, Any]) -> Document:
    """The map as a filter reads it: like a drop if its `elems` is a map, else all of it as elements."""
    if TYPES in map:  # in a drop the platform's own key; in an event anybody's
        map = {name: value for name, value in map.items() if name != TYPES}
    if ELEMENTS not in map or type(map[ELEMENTS]) is dict:
        return map
    return {**map, ELEMENTS: map}

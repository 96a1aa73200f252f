"""Handlers of a room's events: the decorator that marks a method as one, and which ones a class has."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import InvalidInput
from .event_filters import EventTest, event_filter, event_test

if TYPE_CHECKING:
    from ...filters import Filter

__all__ = ["EventHandler", "check_plain", "event", "find_handlers"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class EventHandler:
    """What is called for an event.

    Attributes:
        event: the event's name.
        where: the events for which it is called; None for all of that name.
        test: the same, as a function of the event's arguments.
        method: the name of a room's method.
        function: what to call in place of a method.
    """

    event: str
    where: Filter | None
    test: EventTest | None
    method: str = ""
    function: Callable[..., Any] | None = None

    @classmethod
    def of(cls, event: str, where: Any, function: Callable[..., Any]) -> EventHandler:
        """A handler that is a function, from the arguments that a user wrote.

        Raises:
            InvalidInput: the name is no str, or `where` is no filter.
        """
        if not isinstance(event, str):
            raise InvalidInput(f"an event's name is a str, not {type(event).__name__}")
        if not callable(function):
            raise InvalidInput(f"a handler is a function, not {type(function).__name__}")
        check_plain(function)
        where = event_filter(where)
        return cls(event, where, event_test(where), function=function)

    def target(self, room: object) -> Callable[..., Any]:
        """What to call."""
        function: Callable[..., Any]
        function = getattr(room, self.method) if self.function is None else self.function
        return function


def event(name: str, *, where: Filter | str | None = None) -> Callable[[F], F]:
    """Mark a method of a Room as the handler of an event:

        class Chat(Room):
            @event("msg")
            def on_msg(self, msg): ...

            @event("gale", where=mem.wind > 30)
            def on_storm(self, gale): ...

    It gets the arguments of the emit. A subclass that overrides the method overrides the handler. A method
    may handle several events, with a mark for each. Several methods may handle one event, with a filter each;
    they are called in the order in which they are defined.

    Args:
        name: the event's name.
        where: a filter, or its text. The handler is called for the events whose first argument is a map that
            matches it.

    Raises:
        InvalidInput: the name is no str, the filter cannot be used, or the method is a coroutine function.
        ConfigurationError: the filter has a pattern, and re2 is not installed.
    """
    if not isinstance(name, str):
        raise InvalidInput('write @event("name of the event"), with the parentheses')
    wanted = event_filter(where)
    test = event_test(wanted)

    def mark(function: F) -> F:
        check_plain(function)
        marked = EventHandler(name, wanted, test)
        function.__room_events__ = (*getattr(function, "__room_events__", ()), marked)  # type: ignore[attr-defined]
        return function

    return mark


def find_handlers(cls: type) -> dict[str, list[EventHandler]]:
    """The methods that handle each event, of a class and its bases.

    A method replaces an inherited or earlier one with the same event and filter.

    Raises:
        InvalidInput: one of them is a coroutine function.
    """
    found: dict[tuple[str, Filter | None], EventHandler] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            for marked in getattr(value, "__room_events__", ()):
                found[marked.event, marked.where] = replace(marked, method=name)
    for handler in found.values():
        check_plain(getattr(cls, handler.method))
    handlers: dict[str, list[EventHandler]] = {}
    for handler in found.values():
        handlers.setdefault(handler.event, []).append(handler)
    return handlers


def check_plain(function: Callable[..., Any]) -> None:
    """Raise InvalidInput if a handler or hook is a coroutine function."""
    if inspect.iscoroutinefunction(function):
        raise InvalidInput(
            f"{getattr(function, '__qualname__', function)} is a coroutine function, which nothing here "
            "would await; write def in place of async def, and its calls without await"
        )

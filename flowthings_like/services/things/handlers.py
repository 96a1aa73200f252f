"""Which method of a Room handles which event."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from ...errors import InvalidInput

__all__ = ["event", "find_handlers"]

F = TypeVar("F", bound=Callable[..., Any])

_HOOKS = ("on_init", "on_join", "on_leave", "on_delete", "on_emit")


def event(name: str) -> Callable[[F], F]:
    """Mark a method of a Room as the handler of an event:

        class Chat(Room):
            @event("msg")
            def on_msg(self, msg): ...

    It gets the arguments of the emit. A subclass that overrides the method overrides the handler. A method
    may handle several events, with a mark for each.

    Raises:
        InvalidInput: the name is no str, or the method is a coroutine function.
    """
    if not isinstance(name, str):
        raise InvalidInput('write @event("name of the event"), with the parentheses')

    def mark(function: F) -> F:
        _check_plain(function)
        function.__room_events__ = (*getattr(function, "__room_events__", ()), name)  # type: ignore[attr-defined]
        return function

    return mark


def find_handlers(cls: type) -> dict[str, str]:
    """The name of a method for each event that a class and its bases handle.

    Raises:
        InvalidInput: one of them is a coroutine function.
    """
    handlers: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            for marked in getattr(value, "__room_events__", ()):
                handlers[marked] = name
    for name in (*_HOOKS, *handlers.values()):
        _check_plain(getattr(cls, name))
    return handlers


def _check_plain(function: Callable[..., Any]) -> None:
    if inspect.iscoroutinefunction(function):
        raise InvalidInput(
            f"{function.__qualname__} is a coroutine function, which nothing here would await; "
            "write def in place of async def, and its calls without await"
        )

"""An api seen through `async_()` or `lazy()`: the same services, whose calls are made in another way."""

from __future__ import annotations

import sys
from functools import update_wrapper
from typing import TYPE_CHECKING, Any

from .markers import CALL, FACTORY, SERVICE, kind_of
from .thunk import force_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    Make = Callable[[str, CodeType, int, tuple[Any, ...], dict[str, Any]], Any]
    Maker = Callable[["View", Callable[..., Any]], Make]

__all__ = ["View"]

REMEMBERED = 1000
"""Services that one factory's view remembers by the text they were made for."""


class View:
    """Stands for an api or one of its services.

    Calls are made by what `maker(view, method)` returns; it gets the place of the call, the arguments and the
    keywords. Services and what factories make are viewed in turn; everything else is the target's own. What a
    name is, its marks say.
    """

    def __init__(self, target: Any, maker: Maker, label: str = "") -> None:
        self._target = target
        self._maker = maker
        self._label = label
        self._made: Callable[..., Any] | None = None

    if not TYPE_CHECKING:  # what there is, `services/rest/parallel.pyi` says

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):  # a protocol's question, such as copy's, which is not for the target
                raise AttributeError(name)
            target = self._target
            value = getattr(target, name)
            kind = kind_of(target, name, value)
            label = f"{self._label}.{name}" if self._label else name
            seen: Any
            if kind == CALL:
                seen = _call(self._maker(self, value), label)
                update_wrapper(seen, value, updated=())  # what help() shows
            elif kind == SERVICE:
                seen = View(value, self._maker, label)
            elif kind == FACTORY:
                seen = _factory(self._maker, label, value)
            else:
                return value
            # A view is asked for the same few names again and again: from here on it finds them at once.
            self.__dict__[name] = seen
            return seen

    def __dir__(self) -> list[str]:
        """The target's public names, and one's own."""
        names = {name for name in dir(self._target) if not name.startswith("_")}
        return sorted(names | {*object.__dir__(self)})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The target is a service that is called to make another, as in `drop(flow)`."""
        made = self._made
        if made is None:
            made = self._made = _factory(self._maker, self._label, self._target)
        return made(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._target!r}>"


def _call(make: Make, label: str) -> Callable[..., Any]:
    """What stands for a service's method."""

    def call(*args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        return make(label, frame.f_code, frame.f_lasti, args, kwargs)

    return call


def _factory(maker: Maker, label: str, make: Callable[..., Any]) -> Callable[..., Any]:
    made: dict[str, View] = {}

    def call(*args: Any, **kwargs: Any) -> Any:
        by_text = len(args) == 1 and not kwargs and type(args[0]) is str
        if by_text and args[0] in made:
            return made[args[0]]
        # Here, not later: what is made decides what its attributes are.
        args, kwargs = force_all(args, kwargs)
        service = make(*args, **kwargs)
        if not getattr(service, "__api_service__", False):
            return service
        view = View(service, maker, label)
        if by_text:
            if len(made) >= REMEMBERED:
                made.clear()
            made[args[0]] = view
        return view

    return call

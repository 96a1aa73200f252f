"""An api seen through `async_()` or `lazy()`: the same services, whose calls are handed to a starter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .marks import CALL, FACTORY, SERVICE, kind_of
from .thunk import force_all

if TYPE_CHECKING:
    from collections.abc import Callable

    Issue = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]

__all__ = ["View"]


class View:
    """Stands for an api or one of its services.

    Calls go to `issue(label, method, args, kwargs)` and return what that returns; services and what factories
    make are viewed in turn; everything else is the target's own. What a name is, its marks say.
    """

    def __init__(self, target: object, issue: Issue, label: str = "") -> None:
        self._target = target
        self._issue = issue
        self._label = label

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # a protocol's question, such as copy's, which is not for the target
            raise AttributeError(name)
        target = self._target
        value = getattr(target, name)
        kind = kind_of(target, name, value)
        label = f"{self._label}.{name}" if self._label else name
        seen: Any
        if kind == CALL:
            seen = _caller(self._issue, label, value)
        elif kind == SERVICE:
            seen = View(value, self._issue, label)
        elif kind == FACTORY:
            seen = _factory(self._issue, label, value)
        else:
            return value
        # A view is asked for the same few names again and again: from here on it finds them at once.
        self.__dict__[name] = seen
        return seen

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The target is a service that is called to make another, as in `drop(flow)`."""
        return _factory(self._issue, self._label, self._target)(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._target!r}>"


def _caller(issue: Issue, label: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return issue(label, method, args, kwargs)

    return call


def _factory(issue: Issue, label: str, make: Any) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        # Here, not later: what is made decides what its attributes are.
        args, kwargs = force_all(args, kwargs)
        made = make(*args, **kwargs)
        return View(made, issue, label) if getattr(made, "__api_service__", False) else made

    return call

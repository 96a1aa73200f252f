"""What `GreenThunk.then` and `catch` hand to the lazy object that has made the thunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..future import Origin

__all__ = ["ChainedFunction", "Chaining", "function_name"]


@dataclass(frozen=True, slots=True)
class ChainedFunction:
    """A function that is chained to a thunk, and its arguments after the first."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


class Chaining(Protocol):
    """Starts the functions that are chained to the thunks of one lazy object."""

    def start_chained(
        self, thunk: Any, on_value: ChainedFunction | None, on_error: ChainedFunction | None, origin: Origin
    ) -> Any:
        """A thunk of what a function returns that gets the value of `thunk`, or its exception.

        Args:
            on_value, on_error: None to hand on the value, or the exception.
            origin: where the function is chained.
        """


def function_name(function: Callable[..., Any]) -> str:
    """How a function is named in a message."""
    return getattr(function, "__qualname__", None) or repr(function)

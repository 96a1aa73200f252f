"""What streams and sets of streams need of the client that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .dialect import Dialect

__all__ = ["Owner"]

A = TypeVar("A")
R = TypeVar("R")


class Owner(Protocol):
    """A client, as its streams see it."""

    def _dialect(self) -> Dialect:
        """The version of the protocol that the server speaks."""

    def _map(self, function: Callable[[A], R], items: Iterable[A]) -> list[R]:
        """The results of a function for all items, computed at once within the concurrency limit."""

    def _async_lib(self) -> Any:
        """The backend that runs parallel calls."""

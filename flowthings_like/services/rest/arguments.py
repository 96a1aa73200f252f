"""The types of the methods' arguments, and decorators that show all keywords in signatures.

Most arguments may be GreenThunks, which are waited for before the request is sent.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from typing import TypeAlias

    from ...changes import Params
    from ...filters.nodes import Filter
    from ...green.calls.thunk import GreenThunk
    from ...transport.retry import Retry

    Id: TypeAlias = str | bytes | GreenThunk[str]
    Ids: TypeAlias = list[str] | list[Id] | tuple[Id, ...] | GreenThunk[list[str]]
    Filters: TypeAlias = Filter | GreenThunk[Filter]
    Names: TypeAlias = str | Iterable[str]
    Model: TypeAlias = Mapping[str, Any] | GreenThunk[Any]
    Models: TypeAlias = Iterable[Model] | GreenThunk[Any]
    Extra: TypeAlias = Mapping[str, Any] | Params
    References: TypeAlias = dict[str, dict[str, Any]]
    Timeout: TypeAlias = float | tuple[float, float]
    Retries: TypeAlias = Retry | Literal[False]
    On: TypeAlias = Literal[True, 1]
    Off: TypeAlias = Literal[False, 0] | None

    Method = TypeVar("Method", bound=Callable[..., Any])

__all__ = ["takes_find_parameters", "takes_read_parameters"]


def _read(
    *,
    only: str | Iterable[str] | None = None,
    refs: bool = False,
    timeout: float | tuple[float, float] | None = None,
    retry: Retry | Literal[False] | None = None,
    **params: Any,
) -> None:
    """The keywords of every method that reads, besides its own arguments."""


def _find(
    *,
    limit: int | None = None,
    start: int | None = None,
    sort: str | Iterable[str] | None = None,
    order: Literal["asc", "desc"] | None = None,
    only: str | Iterable[str] | None = None,
    filter: Filter | str | None = None,
    refs: bool = False,
    timeout: float | tuple[float, float] | None = None,
    retry: Retry | Literal[False] | None = None,
    **params: Any,
) -> None:
    """The keywords of every method that finds, besides its own arguments."""


def _shows(prototype: Callable[..., Any]) -> Callable[[Method], Method]:
    """A decorator: `help` and editors list the prototype's keywords in place of the method's `**params`."""
    keywords = inspect.signature(prototype).parameters.values()

    def mark(method: Method) -> Method:
        own = inspect.signature(method)
        kept = [part for part in own.parameters.values() if part.kind is not part.VAR_KEYWORD]
        method.__signature__ = own.replace(parameters=[*kept, *keywords])  # type: ignore[attr-defined]
        return method

    return mark


takes_read_parameters = _shows(_read)
takes_find_parameters = _shows(_find)

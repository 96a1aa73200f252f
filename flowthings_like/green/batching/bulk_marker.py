"""`@bulk` says that a single call has a bulk form: many of them may be made as one call of another method.

@bulk("read_many", key="id", most=500)
def read(self, id): ...         # lazy reads may travel together, as one call of read_many
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["ALONE", "BulkForm", "bulk", "bulk_form"]


class _Alone:
    def __repr__(self) -> str:
        return "ALONE"


ALONE: Any = _Alone()
"""In a bulk form's list, in place of a result: this call was not made, make it by itself."""


class BulkForm:
    """How many calls of one method become one call of another; what the attributes mean, `bulk` says."""

    def __init__(
        self,
        method: str,
        argument: str,
        key: str | None,
        entry: str | None,
        most: int,
        writes: bool,
        across: bool,
        whole: tuple[int, ...],
        in_order: bool,
    ) -> None:
        self.method = method
        self.argument = argument
        self.key = key
        self.entry = entry
        self.most = most
        self.writes = writes
        self.across = across
        self.whole = whole
        self.in_order = in_order or (key is None and entry is None)


def bulk(
    method: str,
    *,
    key: str | None = None,
    entry: str | None = None,
    most: int = 500,
    writes: bool = False,
    across: bool = False,
    whole: tuple[int, ...] = (),
    in_order: bool = False,
) -> Callable[[F], F]:
    """Mark a call that has a bulk form: another method of the same service, which takes a list.

    Under `lazy()` such calls travel together. A call with keywords of its own (but `timeout`) goes alone.

    Args:
        method: the bulk form. It gets a list with the first argument of each call and returns a mapping by
            key, or without a key a list in the same order.
        key: the first argument by name, if it is the key itself ("id"), or with the member of it that is
            ("model.id").
        entry: in place of `key`, a method that gets the arguments of a call and returns (key, what to put
            into the list), or None for a call that goes alone.
        most: calls in one bulk call.
        writes: it changes something. Such calls of one service leave in the order in which they were made.
        across: calls of all services of this class go together, not only those of one.
        whole: statuses of refusals that are about all of the calls, never about one of them.
        in_order: the bulk form returns a list although there is a key, which then only tells equal calls.

    In a list that the bulk form returns may be, besides results, the exception that one call failed with, and
    ALONE. A service may have two more things to say: `__api_alone__`, true while its calls cannot travel
    together, and `__api_missing__(key)`, the exception for a key that is not in the answer.
    """

    def mark(function: F) -> F:
        argument = function.__code__.co_varnames[1]
        form = BulkForm(method, argument, key, entry, most, writes, across, whole, in_order)
        function.__api_bulk__ = form  # type: ignore[attr-defined]
        return function

    return mark


def bulk_form(method: Callable[..., Any]) -> BulkForm | None:
    """The bulk form that a method was marked with."""
    form: BulkForm | None = getattr(method, "__api_bulk__", None)
    return form

"""How a service says which of its attributes are calls.

`api.async_()` and `api.lazy()` wrap any api object without knowing its services; these marks tell them:

    class Flow:
        __api_service__ = True          # every public method is a call ...

        def find(self, ...): ...

        @plain
        def iterate(self, ...): ...     # ... except what is marked plain

        @api_factory
        def __call__(self, flow): ...   # returns another service, at once, which is wrapped in turn

        @bulk("read_many", key="id", most=500)
        def read(self, id): ...         # lazy reads may travel together, as one call of read_many

        @begins("begin_query")
        def query(self, code): ...      # lazy queries need no thread: begin_query sends them

`@api_call` is for a method of an object that is not a service, such as `api.request`. What is none of these
(data, unmarked methods of other objects) is handed through as it is.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = [
    "ALONE",
    "CALL",
    "FACTORY",
    "PLAIN",
    "SERVICE",
    "Bulk",
    "api_call",
    "api_factory",
    "begins",
    "bulk",
    "chooses",
    "kind_of",
    "plain",
    "reads",
]

CALL = "call"
FACTORY = "factory"
SERVICE = "service"
PLAIN = "plain"


def api_call(function: F) -> F:
    """Mark a function as a call: under `async_()` and `lazy()` it runs in a green thread of its own."""
    function.__api_kind__ = CALL  # type: ignore[attr-defined]
    return function


def api_factory(function: F) -> F:
    """Mark a function that returns a service: it runs at once, and what it returns is wrapped. What it
    returned for a str is used again for the same one."""
    function.__api_kind__ = FACTORY  # type: ignore[attr-defined]
    return function


def plain(function: F) -> F:
    """Mark a method of a service that is no call: it is handed through and runs where it is called."""
    function.__api_kind__ = PLAIN  # type: ignore[attr-defined]
    return function


def reads(function: F) -> F:
    """Mark a call that changes nothing at the platform: equal lazy reads before and after it may share a
    request. A call that is marked neither so nor as `bulk` counts as one that may change anything."""
    function.__api_reads__ = True  # type: ignore[attr-defined]
    return function


def begins(beginner: str) -> Callable[[F], F]:
    """Mark a call that can be on its way without a thread, as on a connection that many share. Under `lazy()`
    it is begun at once, and whoever needs the result waits for the answer. Such calls change nothing that
    reads with a bulk form could see.

    Args:
        beginner: the service's method that takes the same arguments, begins the call without waiting for
            anything, and returns an `Underway`; or None if the call has to wait for something first.
    """

    def mark(function: F) -> F:
        function.__api_begins__ = beginner  # type: ignore[attr-defined]
        return function

    return mark


def chooses(chooser: str) -> Callable[[F], F]:
    """Mark a call that only chooses another one, which `lazy()` then makes directly.

    Args:
        chooser: the service's method that takes the same arguments and returns the name of the call and its
            positional arguments; the keywords stay.
    """

    def mark(function: F) -> F:
        function.__api_chooses__ = chooser  # type: ignore[attr-defined]
        return function

    return mark


class _Alone:
    def __repr__(self) -> str:
        return "ALONE"


ALONE: Any = _Alone()
"""In a bulk form's list, in place of a result: this call was not made, make it by itself."""


class Bulk:
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
        self.in_order = in_order


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
            In the list may be, besides results, the exception that one call failed with, and ALONE.

    A service may have two more things to say: `__api_alone__`, true while its calls cannot travel together,
    and `__api_missing__(key)`, the exception for a key that is not in the answer.
    """

    def mark(function: F) -> F:
        argument = function.__code__.co_varnames[1]
        form = Bulk(method, argument, key, entry, most, writes, across, whole, in_order)
        function.__api_bulk__ = form  # type: ignore[attr-defined]
        return function

    return mark


def kind_of(owner: object, name: str, value: object) -> str:
    """What `value`, found as attribute `name` of `owner`, is: CALL, FACTORY, SERVICE or PLAIN.

    A mark decides. Without one, an object with a true `__api_service__` is a service, and a public method
    that the class of such an object defines is a call.
    """
    kind: str | None = getattr(value, "__api_kind__", None)
    if kind is not None:
        return kind
    if name.startswith("_"):
        return PLAIN
    if getattr(value, "__api_service__", False) and not isinstance(value, type):
        return SERVICE
    if callable(value) and getattr(owner, "__api_service__", False) and _is_method(owner, name):
        return CALL
    return PLAIN


def _is_method(owner: object, name: str) -> bool:
    """Whether the class of `owner` defines `name` as a function, rather than a property or an attribute."""
    for cls in type(owner).__mro__:
        if name in vars(cls):
            found = vars(cls)[name]
            return callable(found) or isinstance(found, (classmethod, staticmethod))
    return False

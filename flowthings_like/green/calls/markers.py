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

        @sends_at_once("send_query")
        def query(self, code): ...      # lazy queries need no thread: send_query sends them

`@bulk` is in `batching/bulk_marker.py`. `@api_call` is for a method of an object that is not a service, such
as `api.request`. What is none of these (data, unmarked methods of other objects) is handed through as it is.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = [
    "CALL",
    "FACTORY",
    "PLAIN",
    "SERVICE",
    "api_call",
    "api_factory",
    "chooses",
    "kind_of",
    "plain",
    "reads",
    "sends_at_once",
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


def sends_at_once(sender: str) -> Callable[[F], F]:
    """Mark a call that can be sent without a thread of its own, because its connection is shared. Under
    `lazy()` it is sent at once, and the caller that needs the result waits for the answer. Such calls change
    nothing that reads with a bulk form could see.

    Args:
        sender: the service's method that takes the same arguments, sends the call without waiting, and
            returns a `SentCall`; or None if the call has to wait for something first.
    """

    def mark(function: F) -> F:
        function.__api_sends__ = sender  # type: ignore[attr-defined]
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

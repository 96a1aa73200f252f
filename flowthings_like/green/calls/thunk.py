"""GreenThunk: a value that is still on its way, and the functions that look through it."""

from __future__ import annotations

import copy
import math
import operator
import sys
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from ..future import Origin
from .chained import ChainedFunction, function_name
from .proxied import Proxied, T_co

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Concatenate, ParamSpec

    from ..future import Future
    from .chained import Chaining

    P = ParamSpec("P")

__all__ = [
    "GreenThunk",
    "force",
    "force_all",
    "is_none",
    "is_ready",
    "json_default",
    "unwrap",
]


V = TypeVar("V")
W = TypeVar("W")

_PENDING: Any = object()


class GreenThunk(Proxied[T_co]):
    """The result of a lazy call, which behaves like the result itself and waits for it where that is needed.

    The call was started when the thunk was made. It is waited for by indexing, iterating, comparing, len,
    bool, `in`, str and format, hash, arithmetic, isinstance, and any attribute or method of the value; never
    by repr, though some who show it ask isinstance first, as logging does of a single argument. The value, or
    the exception, is then remembered. A thunk pickles and copies as its value.

    Some things look at the object and not at its value, and no proxy can change that: `thunk is None`,
    `type(thunk)`, `json.dumps` without `default=json_default`, `"".join`. Use `force(thunk)` there.

    `then`, `catch`, `addCallback`, `addErrback`, `addCallbacks`, `addBoth`, `force` and `unwrap` are the
    thunk's own. A value's attribute of such a name is reached by `force(thunk).then`.

    Args:
        future: the result. Other thunks may have the same one, and each gets a copy of it.
        call: the call, if it shares the result of another one.
        chains: chains functions to it.
    """

    __slots__ = ("__weakref__", "_call", "_chains", "_future", "_value")

    def __init__(
        self: GreenThunk[Any], future: Future, call: Future | None = None, chains: Chaining | None = None
    ) -> None:
        self._future: Future | None = future  # None once the value is here
        self._call = call
        self._chains = chains
        self._value: Any = _PENDING

    def force(self) -> T_co:
        """Wait for the value and return it.

        Raises:
            Exception: what the call raised, each time.
            CallCancelled: the call's green thread was killed.
            WrongThread: this is another OS thread than the call's, the backend is a green one, and the value
                is not there yet.
        """
        future = self._future
        if future is not None:
            value = future.result(self._call)  # if this is interrupted, nothing has changed
            if type(value) is GreenThunk:
                value = value.force()
            if self._value is _PENDING:  # else another thread was here first, with a copy of its own
                self._value = value
            self._future = self._call = None
        found: T_co = self._value
        return found

    def unwrap(self) -> T_co:
        """The same as `force`: the pure data."""
        return self.force()

    @overload
    def then(
        self,
        function: Callable[Concatenate[T_co, P], GreenThunk[V]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> GreenThunk[V]: ...
    @overload
    def then(
        self, function: Callable[Concatenate[T_co, P], V], /, *args: P.args, **kwargs: P.kwargs
    ) -> GreenThunk[V]: ...
    def then(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `function(value, *args, **kwargs)` once the value is here, and return a thunk of its result.

        The function runs by itself, in a green thread or an OS thread of its own, so it may block and make
        calls. If it returns a thunk, the new thunk has the value of that one. If it raises, the new thunk
        fails with its exception. If the call failed, it is not run, and the new thunk fails as the call did.

        This thunk stays as it is. To call a second function with the first one's result, chain it to the
        thunk that is returned: `thunk.then(first).then(second)`.

        Args:
            function: gets what `force` returns.
            args, kwargs: more arguments. Thunks among them are waited for before the function runs.

        Raises:
            WrongThread: this is another OS thread than the call's, and the backend is a green one.
        """
        return self._chain("then", function, ChainedFunction(function, args, kwargs), None)

    @overload
    def catch(
        self,
        function: Callable[Concatenate[Exception, P], GreenThunk[V]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> GreenThunk[T_co | V]: ...
    @overload
    def catch(
        self, function: Callable[Concatenate[Exception, P], V], /, *args: P.args, **kwargs: P.kwargs
    ) -> GreenThunk[T_co | V]: ...
    def catch(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `function(exception, *args, **kwargs)` if the call fails, and return a thunk of its result.

        If the call does not fail, the new thunk has its value, and the function is not run. All else is as
        for `then`. Like `except Exception`, it does not get what is no Exception, such as a gevent.Timeout.
        """
        return self._chain("catch", function, None, ChainedFunction(function, args, kwargs))

    addCallback = then  # noqa: N815 (Twisted's names)
    addErrback = catch  # noqa: N815

    def addCallbacks(  # noqa: N802
        self, callback: Callable[[T_co], V], errback: Callable[[Exception], W]
    ) -> GreenThunk[V | W]:
        """A thunk of `callback(value)`, or of `errback(exception)` if the call fails.

        What the callback raises does not reach the errback.
        """
        made = self._chain("addCallbacks", callback, ChainedFunction(callback), ChainedFunction(errback))
        return cast("GreenThunk[V | W]", made)

    @overload
    def addBoth(
        self,
        function: Callable[Concatenate[Any, P], GreenThunk[V]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> GreenThunk[V]: ...
    @overload
    def addBoth(
        self, function: Callable[Concatenate[Any, P], V], /, *args: P.args, **kwargs: P.kwargs
    ) -> GreenThunk[V]: ...
    def addBoth(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """A thunk of `function(value, ...)`, or of `function(exception, ...)` if the call fails."""
        both = ChainedFunction(function, args, kwargs)
        return self._chain("addBoth", function, both, both)

    def _chain(
        self,
        method: str,
        function: Callable[..., Any],
        on_value: ChainedFunction | None,
        on_error: ChainedFunction | None,
    ) -> Any:
        if self._chains is None:
            raise TypeError(f"{method} needs a thunk that a call of lazy() has returned")
        frame = sys._getframe(2)
        origin = Origin(f"{method}({function_name(function)})", frame.f_code, frame.f_lasti)
        return self._chains.start_chained(self, on_value, on_error, origin)

    def _ready(self) -> bool:
        future = self._future
        return future is None or future.done()

    def __repr__(self) -> str:
        future, call = self._future, self._call
        if future is not None:
            origin = (call or future).origin
            if not future.done():
                return f"<GreenThunk pending: {origin}>"
            failure = future.failure()
            if failure is not None:
                return f"<GreenThunk failed: {failure.error!r}, {origin}>"
            self.force()
        return f"<GreenThunk ready: {self._value!r}>"

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The value's class, so that isinstance tells a list from a dict. GreenThunk if there is no value."""
        try:
            return self.force().__class__
        except Exception:
            return GreenThunk

    if not TYPE_CHECKING:  # the types are those of Proxied

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):  # only asked whether it is there, as a rule: not worth a wait
                raise AttributeError(name)
            return getattr(self.force(), name)

        def __getitem__(self, key: Any) -> Any:
            value = self._value
            return (self.force() if value is _PENDING else value)[force(key)]

        def __setitem__(self, key: Any, value: Any) -> None:
            self.force()[force(key)] = value

        def __delitem__(self, key: Any) -> None:
            del self.force()[force(key)]

        def __len__(self) -> int:
            return len(self.force())

        def __iter__(self) -> Iterator[Any]:
            return iter(self.force())

        def __reversed__(self) -> Any:
            return reversed(self.force())

        def __contains__(self, item: Any) -> bool:
            return force(item) in self.force()

        def __bool__(self) -> bool:
            return bool(self.force())

        def __eq__(self, other: object) -> Any:
            return self.force() == force(other)

        def __ne__(self, other: object) -> Any:
            return self.force() != force(other)

        def __hash__(self) -> int:
            return hash(self.force())

        def __str__(self) -> str:
            return str(self.force())

        def __format__(self, spec: str) -> str:
            return format(self.force(), spec)

    def __copy__(self) -> Any:
        return copy.copy(self.force())

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.force(), memo)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _the_value, (self.force(),)

    def __conform__(self, protocol: Any) -> Any:
        """sqlite3 asks this of what it is given as an SQL parameter."""
        return self.force()


def _the_value(value: Any) -> Any:
    """What a pickled thunk is read back with."""
    return value


def _unary(operation: Callable[..., Any]) -> Any:
    return lambda self, *args: operation(self.force(), *args)


def _binary(operation: Callable[[Any, Any], Any]) -> Any:
    return lambda self, other: operation(self.force(), force(other))


def _reflected(operation: Callable[[Any, Any], Any]) -> Any:
    return lambda self, other: operation(force(other), self.force())


def _in_place(operation: Callable[[Any, Any], Any]) -> Any:
    def method(self: GreenThunk[Any], other: Any) -> Any:
        value = self.force()
        result = operation(value, force(other))
        # A list was changed where it is, and stays behind its thunk; a number gave a new one.
        return self if result is value else result

    return method


for _name in ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift"):
    setattr(GreenThunk, f"__{_name}__", _binary(getattr(operator, _name)))
    setattr(GreenThunk, f"__r{_name}__", _reflected(getattr(operator, _name)))
    setattr(GreenThunk, f"__i{_name}__", _in_place(getattr(operator, f"i{_name}")))
for _name in ("and", "or", "xor"):
    setattr(GreenThunk, f"__{_name}__", _binary(getattr(operator, f"__{_name}__")))
    setattr(GreenThunk, f"__r{_name}__", _reflected(getattr(operator, f"__{_name}__")))
    setattr(GreenThunk, f"__i{_name}__", _in_place(getattr(operator, f"__i{_name}__")))
for _name in ("lt", "le", "gt", "ge"):
    setattr(GreenThunk, f"__{_name}__", _binary(getattr(operator, _name)))
for _name in ("neg", "pos", "abs", "invert", "index"):
    setattr(GreenThunk, f"__{_name}__", _unary(getattr(operator, _name)))
for _operation in (int, float, complex, bytes, round, math.trunc, math.floor, math.ceil):
    setattr(GreenThunk, f"__{_operation.__name__}__", _unary(_operation))
for _name, _operation in (("divmod", _binary(divmod)), ("rdivmod", _reflected(divmod))):
    setattr(GreenThunk, f"__{_name}__", _operation)


@overload
def force(value: GreenThunk[V]) -> V: ...
@overload
def force(value: V) -> V: ...
def force(value: Any) -> Any:
    """The value behind a thunk, waited for; anything else as it is. Looks at `value` only, not inside it."""
    return value.force() if type(value) is GreenThunk else value


@overload
def unwrap(value: GreenThunk[V]) -> V: ...
@overload
def unwrap(value: list[GreenThunk[V]]) -> list[V]: ...
@overload
def unwrap(value: V) -> V: ...
def unwrap(value: Any) -> Any:
    """Like `force`, also for the thunks inside dicts, lists and tuples (of exactly these types).

    Containers that hold a thunk are copied, the others are returned as they are.
    """
    value = force(value)
    kind = type(value)
    if kind is dict:
        keys, values = [*map(unwrap, value)], [*map(unwrap, value.values())]
        changed = any(map(operator.is_not, (*keys, *values), (*value, *value.values())))
        return dict(zip(keys, values, strict=True)) if changed else value
    if kind is list or kind is tuple:
        items = [*map(unwrap, value)]
        return kind(items) if any(map(operator.is_not, items, value)) else value
    return value


def force_all(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A call's arguments, with a value in place of each thunk among them."""
    for arg in args:
        if type(arg) is GreenThunk:
            args = tuple(map(force, args))
            break
    if kwargs:
        for arg in kwargs.values():
            if type(arg) is GreenThunk:
                kwargs = {name: force(value) for name, value in kwargs.items()}
                break
    return args, kwargs


def is_ready(value: Any) -> bool:
    """Whether using `value` would not wait: it is no thunk, or its call is done (or failed). Never waits."""
    return value._ready() if type(value) is GreenThunk else True


def is_none(value: Any) -> bool:
    """What `value is None` would say of the value behind a thunk. Waits for it."""
    return force(value) is None


def json_default(value: Any) -> Any:
    """For the `default=` of json.dumps, orjson.dumps and msgpack.packb: encodes a thunk as its value.

    Raises:
        TypeError: `value` is no thunk; the encoder's own complaint about a type it does not know.
    """
    if type(value) is GreenThunk:
        return value.force()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

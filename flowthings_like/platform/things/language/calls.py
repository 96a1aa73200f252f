"""How calls run: functions, methods, closures; and the forms that say themselves when their arguments run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .... import things_errors as errors
from .beyond import undefined
from .run import Run
from .signature import METHODS, Builtin
from .values import Closure, Failure, List, Thing, Value, type_name

__all__ = ["FORMS", "call_builtin", "call_method", "call_other"]

Code = Callable[[Run], Value]


def call_builtin(builtin: Builtin, args: Sequence[Code]) -> Code:
    """A call of one of the language's own functions."""

    def call(run: Run) -> Value:
        values = tuple([arg(run) for arg in args])
        builtin.check(values)
        return builtin(run, *values)

    return call


def call_method(owner: Code, name: str, args: Sequence[Code]) -> Code:
    """`owner.name(args)`: a method of the value's type, else a closure that is the thing's property."""

    def call(run: Run) -> Value:
        value = owner(run)
        builtin = METHODS[type(value)].get(name)
        if builtin is not None:
            values = tuple([arg(run) for arg in args])
            builtin.check(values)
            return builtin(run, value, *values)
        if type(value) is Thing and name in value.props:
            return _called(run, value.props[name], f"property `{name}`", args)
        raise undefined(name, f"type `{type_name(value)}`")

    return call


def call_other(name: str, args: Sequence[Code]) -> Code:
    """A call of a function of the scope, or of a closure in a variable."""

    def call(run: Run) -> Value:
        builtin = run.scope.functions.get(name)
        if builtin is not None:
            values = tuple([arg(run) for arg in args])
            builtin.check(values)
            return builtin(run, *values)
        frame = run.frame.holder(name)
        if frame is not None:
            return _called(run, frame[name], f"variable `{name}`", args)
        raise undefined(name, f"the `{run.scope.name}` scope")

    return call


def _called(run: Run, value: Value, what: str, args: Sequence[Code]) -> Value:
    if type(value) is not Closure:
        raise errors.TypeError(f"{what} is of type `{type_name(value)}`, which cannot be called")
    return run.call(value, *[arg(run) for arg in args])


# -- forms


def _try(args: Sequence[Code]) -> Code:
    """try(code, [error or error code, …]): the value of the code, or the error as a value."""
    body, *caught = args

    def attempt(run: Run) -> Value:
        try:
            return body(run)
        except errors.ThingsDBError as error:
            failure = Failure(error.error_code, str(error))
        wanted: list[Value] = [code for arg in caught for code in _each(arg(run))]
        if wanted and failure.code not in map(_code, wanted):
            raise errors.error_from(failure.code, failure.message)
        return failure

    return attempt


def _each(value: Value) -> Sequence[Value]:
    return value if type(value) in (List, tuple) else (value,)


def _code(value: Value) -> int:
    if type(value) is Failure:
        return value.code
    if type(value) is not int:
        raise errors.TypeError(f"function `try` expects errors or error codes, not `{type_name(value)}`")
    return value


def _alt_raise(args: Sequence[Code]) -> Code:
    """alt_raise(code, error code, message): the value of the code; an error in it becomes this one."""
    body, other, *message = args

    def attempt(run: Run) -> Value:
        try:
            return body(run)
        except errors.ThingsDBError as error:
            said = str(error)
        code = other(run)
        text = message[0](run) if message else said
        if type(code) is not int or type(text) is not str:
            raise errors.TypeError(
                "function `alt_raise` expects an error code of type `int` and a message of type `str`"
            )
        if not -127 <= code <= -50:
            raise errors.ValueError(f"expected an error code from -127 to -50, not {code}")
        raise errors.error_from(code, text)

    return attempt


def _itself(args: Sequence[Code]) -> Code:
    """wse(code), nse(code): here every query may change something, so there is nothing to announce."""
    return args[0]


def _timeit(args: Sequence[Code]) -> Code:
    """timeit(code): the value and the seconds it took."""

    def measure(run: Run) -> Value:
        start = time.perf_counter()
        value = args[0](run)
        took = time.perf_counter() - start
        thing = Thing()
        run.collection.assign(thing, "data", value)
        thing.props["time"] = took
        return thing

    return measure


def _form(
    make: Callable[[Sequence[Code]], Code], name: str, least: int, most: int
) -> Callable[[Sequence[Code]], Code]:
    def checked(args: Sequence[Code]) -> Code:
        if least <= len(args) <= most:
            return make(args)

        def refuse(run: Run) -> Value:
            raise errors.NumArgumentsError(
                f"function `{name}` takes {least} to {most} arguments, but {len(args)} were given"
            )

        return refuse

    return checked


FORMS: dict[str, Callable[[Sequence[Code]], Code]] = {
    "try": _form(_try, "try", 1, 2),
    "alt_raise": _form(_alt_raise, "alt_raise", 2, 3),
    "wse": _form(_itself, "wse", 1, 1),
    "nse": _form(_itself, "nse", 1, 1),
    "timeit": _form(_timeit, "timeit", 1, 1),
}

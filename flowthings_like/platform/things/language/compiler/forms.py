"""Compiles the forms: functions that decide themselves whether and when their arguments are evaluated."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.builtin import Builtin
from ..values.text import error_message
from ..values.types import Failure, Thing, Value, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..runtime.run import Code, Run

__all__ = ["FORMS"]

_MAX_SHOWN = 1000
"""Characters of a failed assertion that its error message repeats."""


def _try(args: Sequence[Code]) -> Code:
    """try(code, [error, …]): return the value of the code, or its error as a value if it is one of these."""
    body, *caught = args

    def attempt(run: Run) -> Value:
        try:
            return body(run)
        except errors.ThingsDBError as error:
            if error.error_code > -50:  # no error that code can raise or catch
                raise
            failure = Failure(error.error_code, str(error))
        if not caught:
            return failure
        for arg in caught:
            wanted = arg(run)
            if type(wanted) is not Failure:
                raise errors.TypeError(
                    "function `try` expects arguments 2..X to be of type `error` "
                    f"but got type `{type_name(wanted)}` instead"
                )
            if wanted.code == failure.code:
                return failure
        raise errors.error_from(failure.code, failure.message)

    return attempt


def _alt_raise(args: Sequence[Code]) -> Code:
    """alt_raise(code, error code, message): return the value of the code; replace an error by this one."""
    body, other, *message = args

    def attempt(run: Run) -> Value:
        try:
            return body(run)
        except errors.ThingsDBError as error:
            said = str(error)
        code = _expect(int, other(run), "alt_raise", 2)
        text = _expect(str, message[0](run), "alt_raise", 3) if message else said
        if not -127 <= code <= -50:
            raise errors.ValueError(
                f"function `alt_raise` expects an error code between -127 and -50 but got {code} instead"
            )
        raise errors.error_from(code, error_message(text))

    return attempt


def _expect(kind: type, value: Value, name: str, number: int) -> Value:
    if type(value) is not kind:
        raise errors.TypeError(
            f"function `{name}` expects argument {number} to be of type `{kind.__name__}` "
            f"but got type `{type_name(value)}` instead"
        )
    return value


def _assert(args: Sequence[Code], text: str) -> Code:
    """assert(code, message): raise AssertionError unless the value of the code is true."""
    body, *message = args

    def demand(run: Run) -> None:
        if not body(run):
            said = f"assertion statement `{text[:_MAX_SHOWN]}` has failed"
            raise errors.AssertionError(
                error_message(_expect(str, message[0](run), "assert", 2)) if message else said
            )

    return demand


def _wse(args: Sequence[Code]) -> Code:
    """wse(code): declare that the query has side effects. The compiler has noted it already."""
    return args[0] if args else _nothing


def _nse(args: Sequence[Code]) -> Code:
    """nse(code): declare that the query has no side effects. Raises OperationError if it has."""
    body = args[0] if args else _nothing

    def check(run: Run) -> Value:
        if run.may_change:
            raise errors.OperationError("function `nse` failed; at least one side-effect is enforced")
        return body(run)

    return check


def _nothing(run: Run) -> None:
    return None


def _timeit(args: Sequence[Code]) -> Code:
    """timeit(code): return the value and the seconds that it took."""

    def measure(run: Run) -> Value:
        start = time.perf_counter()
        value = args[0](run)
        took = time.perf_counter() - start
        thing = Thing()
        run.assign(thing, "data", value)
        thing.props["time"] = took
        return thing

    return measure


def _form(
    make: Callable[[Sequence[Code]], Code], name: str, least: int, most: int | None
) -> Callable[[Sequence[Code], str], Code]:
    shape = Builtin(_nothing, name)
    shape.least, shape.most = least, most

    def checked(args: Sequence[Code], text: str) -> Code:
        if least <= len(args) and (most is None or len(args) <= most):
            return make(args)

        def refuse(run: Run) -> Value:
            shape.check(len(args))

        return refuse

    return checked


def _assert_form(args: Sequence[Code], text: str) -> Code:
    return _form(lambda given: _assert(given, text), "assert", 1, 2)(args, text)


FORMS: dict[str, Callable[[Sequence[Code], str], Code]] = {
    "try": _form(_try, "try", 1, None),
    "alt_raise": _form(_alt_raise, "alt_raise", 2, 3),
    "assert": _assert_form,
    "wse": _form(_wse, "wse", 0, 1),
    "nse": _form(_nse, "nse", 0, 1),
    "timeit": _form(_timeit, "timeit", 1, 1),
}
"""By name: makes code of the arguments of a call, and of the text of the first one."""

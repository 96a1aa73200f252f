"""Functions that make errors, which are values, and raise them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.builtin import FUNCTIONS, Builtin, function
from ..values.text import error_message
from ..values.types import (
    Failure,
)

if TYPE_CHECKING:
    from ..runtime.run import Run

_NAMED: dict[str, tuple[type[errors.ThingsDBError], str]] = {
    "cancelled_err": (errors.CancelledError, "operation is cancelled before completion"),
    "operation_err": (errors.OperationError, "operation is not valid in the current context"),
    "num_arguments_err": (errors.NumArgumentsError, "wrong number of arguments"),
    "type_err": (errors.TypeError, "object of inappropriate type"),
    "value_err": (errors.ValueError, "object has the right type but an inappropriate value"),
    "overflow_err": (errors.OverflowError, "integer overflow"),
    "zero_div_err": (errors.ZeroDivisionError, "division or modulo by zero"),
    "max_quota_err": (errors.MaxQuotaError, "max quota is reached"),
    "auth_err": (errors.AuthError, "authentication error"),
    "forbidden_err": (errors.ForbiddenError, "forbidden (access denied)"),
    "lookup_err": (errors.LookupError, "requested resource not found"),
    "bad_data_err": (errors.BadDataError, "unable to handle request due to invalid data"),
    "syntax_err": (errors.SyntaxError, "syntax error in query"),
    "node_err": (errors.NodeError, "node is temporary unable to handle the request"),
    "assert_err": (errors.AssertionError, "assertion statement has failed"),
}
_USUAL = {kind.error_code: message for kind, message in _NAMED.values()}


@function
def err(run: Run, code: int = -100, message: str | None = None) -> Failure:
    """Return an error as a value."""
    if not -127 <= code <= -50:
        raise errors.ValueError(
            f"function `err` expects an error code between -127 and -50 but got {code} instead"
        )
    return Failure(code, _USUAL.get(code, f"error:{code}") if message is None else error_message(message))


@function
def raise_(run: Run, error: Failure | str | None = None) -> None:
    if error is None:
        error = err(run)
    failure = Failure(-100, error_message(error)) if isinstance(error, str) else error
    raise errors.error_from(failure.code, failure.message)


def _declare_errors() -> None:
    for name, (kind, usual) in _NAMED.items():

        def make(run: Run, message: str = usual, code: int = kind.error_code) -> Failure:
            return Failure(code, error_message(message))

        FUNCTIONS[name] = Builtin(make, name, most=1)


_declare_errors()

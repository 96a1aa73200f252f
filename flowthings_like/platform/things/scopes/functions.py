"""Declares the functions of a scope, and gives them the context of the request that called them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..language import Builtin, Run, Scope

if TYPE_CHECKING:
    from ..request_context import RequestContext

__all__ = ["Functions", "RequestScope", "context_of", "declare_in"]

Functions = dict[str, Builtin]
Function = TypeVar("Function", bound=Callable[..., Any])


class RequestScope(Scope):
    """A scope of the language, with the context of the request that its code runs for."""

    context: RequestContext


def context_of(run: Run) -> RequestContext:
    """Return the context of the request that called a function of a scope."""
    scope = run.scope
    assert isinstance(scope, RequestScope)
    return scope.context


def declare_in(functions: Functions) -> Callable[[Function], Function]:
    """Declare a Python function as one of a scope. Its first parameter is the Run; see `Builtin`."""

    def declare(call: Function) -> Function:
        builtin = Builtin(call)
        functions[builtin.name] = builtin
        return call

    return declare

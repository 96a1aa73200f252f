"""Declares the functions of a scope, and gives them the context of the request that called them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ....wire.things.privileges import Privilege
from ..language import Builtin, Run, Scope

if TYPE_CHECKING:
    from ..request_context import RequestContext

__all__ = [
    "NODE_FUNCTIONS",
    "THINGSDB_FUNCTIONS",
    "RequestScope",
    "context_of",
    "node_function",
    "require_change",
    "require_grant",
    "thingsdb_function",
]

Function = TypeVar("Function", bound=Callable[..., Any])


class RequestScope(Scope):
    """A scope of the language, with the context of the request that its code runs for."""

    context: RequestContext


def context_of(run: Run) -> RequestContext:
    """Return the context of the request that called a function of a scope."""
    scope = run.scope
    assert isinstance(scope, RequestScope)
    return scope.context


def require_change(run: Run) -> RequestContext:
    """Return the context. Raises ForbiddenError unless the user has CHANGE in the scope of the code."""
    context = context_of(run)
    context.require(Privilege.CHANGE)
    return context


def require_grant(run: Run) -> RequestContext:
    """Return the context. Raises ForbiddenError unless the user has CHANGE and GRANT in that scope."""
    context = context_of(run)
    context.require(Privilege.CHANGE | Privilege.GRANT)
    return context


NODE_FUNCTIONS: dict[str, Builtin] = {}
THINGSDB_FUNCTIONS: dict[str, Builtin] = {}


def node_function(call: Function) -> Function:
    """Declare a function of the @node scope. Its first parameter is the Run; see `Builtin`."""
    return _declare(call, NODE_FUNCTIONS)


def thingsdb_function(call: Function) -> Function:
    """Declare a function of the @thingsdb scope. Its first parameter is the Run; see `Builtin`."""
    return _declare(call, THINGSDB_FUNCTIONS)


def _declare(call: Function, functions: dict[str, Builtin]) -> Function:
    builtin = Builtin(call)
    functions[builtin.name] = builtin
    return call

"""Runs a program, or a stored procedure, in a scope and returns its result as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ....wire.things import errors
from ....wire.things.scopes import is_name
from .runtime.run import Return, Run
from .values.plain import load, serialise

if TYPE_CHECKING:
    from .compiler.program import Program
    from .runtime.scope import Scope
    from .values.types import Closure, Value

__all__ = ["call_procedure", "run"]


def run(program: Program, scope: Scope, variables: Mapping[str, Any], logs: list[str] | None = None) -> Any:
    """Run the program to its end.

    Args:
        program: made by `parse`.
        scope: where it runs. Its collection keeps the journal of what changed, even if this raises.
        variables: plain values by name, as the query brought them.
        logs: what the code logs is appended here, as text.

    Returns:
        The result as plain data that msgpack can pack. It has no reference to the collection.

    Raises:
        ThingsDBError: what the code raised, or what is wrong with it.
    """
    return _answer(
        Run(scope, _loaded(variables), logs, program.has_side_effects, program.forbids_side_effects),
        program.body,
    )


def call_procedure(
    name: str,
    args: Sequence[Any] | Mapping[str, Any] | None,
    scope: Scope,
    logs: list[str] | None = None,
) -> Any:
    """Run a stored procedure with arguments in order or by name, as the RUN request does.

    Raises:
        LookupError: there is no such procedure.
        TypeError: the arguments are neither a list nor a map.
    """
    closure = scope.collection.procedures.get(name)
    if closure is None or scope.kind == "node":
        raise errors.LookupError(f"procedure `{name}` not found in the `{scope.name}` scope")
    if args is None:
        args = ()
    elif isinstance(args, Mapping):
        args = [args.get(parameter) for parameter in closure.names]
    elif not isinstance(args, (list, tuple)):
        raise errors.TypeError(f"expected arguments as a list or map, not {type(args).__name__}")
    return _answer(Run(scope, {}, logs, closure.has_side_effects), _calling(closure, args))


# No frame between the caller and `_answer` may hold a value; `_answer` says why.


def _loaded(variables: Mapping[str, Any]) -> dict[str, Value]:
    for name in variables:
        if not is_name(name):
            raise errors.ValueError(f"expected a variable's name (letters, digits and _), not {name!r}")
    return {name: load(plain) for name, plain in variables.items()}


def _calling(closure: Closure, args: Sequence[Any]) -> Callable[[Run], Value]:
    values = [load(plain) for plain in args[: len(closure.names)]]
    return lambda run: run.call(closure, *values)


def _answer(state: Run, body: Callable[[Run], Value]) -> Any:
    failure: errors.ThingsDBError
    try:
        try:
            value = body(state)
        except Return as result:
            value = result.value
        return serialise(value, state.depth, state.ids)
    except errors.ThingsDBError as error:
        failure = error
    except RecursionError:
        failure = errors.OperationError("expected code that is nested less deep")
    except MemoryError:
        failure = errors.MemoryError("expected a query that needs less memory")
    # The traceback and the context refer to frames, and these to things. Things that are not stored any more
    # would still be alive when the journal is taken.
    del state, body
    failure.__context__ = None
    raise failure.with_traceback(None)

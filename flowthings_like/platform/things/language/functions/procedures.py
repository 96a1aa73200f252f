"""Functions that store, change and run procedures: closures with a name, which clients can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .....wire.things import errors
from .....wire.things.scopes import is_name
from ..runtime.builtin import function

if TYPE_CHECKING:
    from ..runtime.run import Run
    from ..values.types import Closure, Value


def _procedures(run: Run) -> dict[str, Closure]:
    if run.scope.kind == "node":
        raise errors.LookupError(
            "function is undefined in the `@node` scope, which has no procedures; "
            "you might want to query the `@thingsdb` or a `@collection` scope?"
        )
    return run.collection.procedures


def _found(run: Run, name: str) -> Closure:
    closure = _procedures(run).get(name)
    if closure is None:
        _check_name(name)
        raise errors.LookupError(f"procedure `{name}` not found")
    return closure


def _check_name(name: str) -> None:
    if not is_name(name):
        raise errors.ValueError("procedure name must follow the naming rules")


def _free(run: Run, name: str) -> str:
    _check_name(name)
    if name in _procedures(run):
        raise errors.LookupError(f"procedure `{name}` already exists")
    return name


@function
def new_procedure(run: Run, name: str, closure: Closure) -> str:
    run.collection.set_procedure(_free(run, name), closure)
    return name


@function
def mod_procedure(run: Run, name: str, closure: Closure) -> None:
    _found(run, name)
    run.collection.set_procedure(name, closure)


@function
def del_procedure(run: Run, name: str) -> None:
    _found(run, name)
    run.collection.set_procedure(name, None)


@function
def rename_procedure(run: Run, old: str, new: str) -> None:
    closure = _found(run, old)
    run.collection.set_procedure(_free(run, new), closure)
    run.collection.set_procedure(old, None)


@function
def has_procedure(run: Run, name: str) -> bool:
    return name in _procedures(run)


@function
def run_(run: Run, name: str, *args: Value) -> Value:
    """Call a procedure."""
    return run.call(_found(run, name), *args)


@function
def procedure_info(run: Run, name: str) -> dict[str, Any]:
    return _info(run, name, _found(run, name))


@function
def procedures_info(run: Run) -> list[dict[str, Any]]:
    return [_info(run, name, closure) for name, closure in _procedures(run).items()]


@function
def procedure_doc(run: Run, name: str) -> str:
    return _found(run, name).doc


def _info(run: Run, name: str, closure: Closure) -> dict[str, Any]:
    run.spend()
    return {
        "doc": closure.doc,
        "name": name,
        "definition": closure.definition,
        "with_side_effects": closure.has_side_effects,
        "arguments": list(closure.names),
    }

"""Compiles calls of functions, methods, procedures and closures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.access import describe_thing, find_procedure
from ..runtime.builtin import FUNCTIONS, METHODS, Builtin
from ..runtime.unsupported import undefined_function, undefined_method, unsupported
from ..values.types import TEXTS, Closure, Thing, Value, type_name
from .compiler import Compiler, rule
from .forms import FORMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..runtime.run import Code, Run
    from ..syntax.parser import Node

__all__ = ["call_method"]


@rule("call")
def _call(compiler: Compiler, tree: Node) -> Code:
    name, given = str(tree.children[0]), tree.children[1].children
    effects = compiler.effects
    effects.function(name)
    args = compiler.codes(given)
    builtin = FUNCTIONS.get(name)
    effects.result(name, builtin is not None or name in FORMS)
    if name in FORMS:
        return FORMS[name](args, compiler.source(given[0]) if given else "")
    return _call_other(name, args) if builtin is None else _call_builtin(builtin, args)


@rule("instance")
def _instance(compiler: Compiler, tree: Node) -> Code:
    raise unsupported(f"type `{tree.children[0]}`", "types of one's own")


def _call_builtin(builtin: Builtin, args: Sequence[Code]) -> Code:
    """Return code that calls a function of the language."""

    def call(run: Run) -> Value:
        builtin.check(len(args))
        run.spend()
        return run.charge_new(builtin(run, *builtin.evaluate(run, args)))

    return call


def call_method(owner: Code, name: str, args: Sequence[Code]) -> Code:
    """Return code that calls `owner.name(args)`: a method of the type, else a closure in the property."""

    def call(run: Run) -> Value:
        value = owner(run)
        builtin = METHODS[type(value)].get(name)
        if builtin is not None:
            builtin.check(len(args))
            run.spend()
            if not builtin.mutates:
                result = builtin(run, value, *builtin.evaluate(run, args))
                return run.charge_new(result) if type(value) in TEXTS else result
            run.start_change(value)
            try:
                return builtin(run, value, *builtin.evaluate(run, args))
            finally:
                value.in_use = False
        if type(value) is not Thing:
            raise undefined_method(name, type_name(value))
        if name not in value.props:
            raise undefined_method(
                name, "thing", f"{describe_thing(value)} has no property or method `{name}`"
            )
        return _called(run, value.props[name], f"property `{name}`", args)

    return call


def _call_other(name: str, args: Sequence[Code]) -> Code:
    """Return code that calls a function of the scope, a procedure, or a closure in a variable."""

    def call(run: Run) -> Value:
        builtin = run.scope.functions.get(name)
        if builtin is not None:
            builtin.check(len(args))
            return builtin(run, *builtin.evaluate(run, args))
        closure = find_procedure(run, name)
        if closure is not None:
            return _called(run, closure, f"procedure `{name}`", args)
        frame = run.frame.holder(name)
        if frame is not None:
            return _called(run, frame[name], f"variable `{name}`", args)
        raise undefined_function(name, run.scope.kind)

    return call


def _called(run: Run, value: Value, what: str, args: Sequence[Code]) -> Value:
    if type(value) is not Closure:
        raise errors.TypeError(f"{what} is of type `{type_name(value)}` and is not callable")
    return run.call(value, *[arg(run) for arg in args[: len(value.names)]])

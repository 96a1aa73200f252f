"""Compiles closures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..syntax.literals import unquoted
from ..values.types import Closure, Value
from .compiler import Compiler, rule

if TYPE_CHECKING:
    from ..runtime.run import Code, Run
    from ..syntax.parser import Node

__all__ = ["compile_closure"]


@rule("closure")
def _closure(compiler: Compiler, tree: Node) -> Code:
    made = compile_closure(compiler, tree)
    compiler.effects.on_variable = False

    def again(run: Run) -> Value:
        closure = run.closures.get(made)
        if closure is None:
            closure = run.closures[made] = made.copy()
        return closure

    return again


def compile_closure(compiler: Compiler, tree: Node) -> Closure:
    """Compile a closure. Each query uses a copy, because it sets `bound` on it."""
    names = next((child.children for child in tree.children if getattr(child, "data", "") == "names"), ())
    effects = compiler.effects
    loops, compiler.loops = compiler.loops, 0
    outer, effects.has_side_effects = effects.has_side_effects, False
    body = compiler.code(tree.children[-1])
    compiler.loops = loops
    made = Closure(
        tuple(map(str, names)),
        body,
        compiler.source(tree),
        compiler.formatter,
        _doc(tree.children[-1]),
        effects.has_side_effects,
    )
    effects.has_side_effects = effects.has_side_effects or outer
    return made


def _doc(body: Node) -> str:
    """Return the string that a closure's block begins with, or ""."""
    if body.data != "block":
        return ""
    first = body.children[0].children[0]
    return unquoted(first.children[0]) if first.data == "string" else ""

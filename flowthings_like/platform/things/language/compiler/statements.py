"""Compiles blocks, `if`, `for`, `break`, `continue` and `return`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.iteration import Iteration
from ..runtime.run import Code, Return, Run
from ..values.plain import result_depth, shows_ids
from .compiler import Compiler, rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..syntax.parser import Node
    from ..values.types import Value

__all__ = ["sequence"]


class Break(Exception):
    """Leaves the loop."""


class Continue(Exception):
    """Continues with the loop's next iteration."""


def sequence(compiler: Compiler, trees: Sequence[Node]) -> Code:
    """Compile statements. Their value is the value of the last one."""
    *before, last = compiler.codes(trees)
    if not before:
        return last

    def run_all(run: Run) -> Value:
        for statement in before:
            statement(run)
        return last(run)

    return run_all


@rule("block")
def _block(compiler: Compiler, tree: Node) -> Code:
    return sequence(compiler, tree.children[0].children)


@rule("if_else")
def _if_else(compiler: Compiler, tree: Node) -> Code:
    condition, then = compiler.codes(tree.children[:2])
    otherwise = tree.children[2] and compiler.code(tree.children[2])

    def choose(run: Run) -> Value:
        value = condition(run)
        if value:
            return then(run)
        return otherwise(run) if otherwise else value

    return choose


@rule("for_in")
def _for_in(compiler: Compiler, tree: Node) -> Code:
    names = [str(name) for name in tree.children[0].children]
    source = compiler.code(tree.children[1])
    compiler.loops += 1
    body = compiler.code(tree.children[2])
    compiler.loops -= 1

    def loop(run: Run) -> Value:
        value = source(run)
        with Iteration(run, value) as found:
            if not found:
                return value
            variables = run.frame
            variables.update(dict.fromkeys(names))
            for values in found:
                run.spend()
                for name, passed in zip(names, values, strict=False):
                    variables[name] = passed
                try:
                    body(run)
                except Continue:
                    continue
                except Break:
                    break
        return None

    return loop


@rule("break_")
def _break(compiler: Compiler, tree: Node) -> Code:
    return _jump(compiler, Break)


@rule("continue_")
def _continue(compiler: Compiler, tree: Node) -> Code:
    return _jump(compiler, Continue)


def _jump(compiler: Compiler, jump: type[Exception]) -> Code:
    if not compiler.loops:
        raise errors.SyntaxError(
            f"illegal `{jump.__name__.lower()}` statement; no surrounding `for..in` statement"
        )

    def leave(run: Run) -> Value:
        raise jump

    return leave


@rule("return_")
def _return(compiler: Compiler, tree: Node) -> Code:
    given = (*tree.children, None, None, None)[:3]
    value, depth, flags = (child and compiler.code(child) for child in given)

    def leave(run: Run) -> Value:
        if depth is not None:
            run.depth = result_depth(depth(run))
        if flags is not None:
            run.ids = shows_ids(flags(run))
        raise Return(None if value is None else value(run))

    return leave

"""Compiles variables, and chains such as `.x.y[0].len()`: a value and the links that follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.access import item_of, look_up, member_of, slice_of
from ..values.types import Failure, Thing, Value
from .calls import call_method
from .compiler import Compiler, rule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..runtime.run import Code, Run
    from ..syntax.parser import Node

__all__ = ["compile_bounds", "compile_chain", "end_chain", "root"]


class ChainStopped(Exception):
    """Leaves a chain before `..`, because the value there is nil or an error."""

    def __init__(self, value: Value) -> None:
        self.value = value


def root(run: Run) -> Thing:
    """Return the root of the collection. Raises LookupError in a scope that has none."""
    if run.scope.kind != "collection":
        raise errors.LookupError(f"the `{run.scope.name}` scope has no root; query a collection for things")
    return run.collection.root


@rule("variable")
def _variable(compiler: Compiler, tree: Node) -> Code:
    name = str(tree.children[0])
    compiler.effects.on_variable = True
    return lambda run: look_up(run, name)


@rule("root_member")
def _root_member(compiler: Compiler, tree: Node) -> Code:
    name = str(tree.children[1])
    compiler.effects.on_variable = False
    return lambda run: member_of(root(run), name)


@rule("root_method")
def _root_method(compiler: Compiler, tree: Node) -> Code:
    compiler.effects.on_variable = False
    return _method(compiler, root, tree)


@rule("postfix")
def _postfix(compiler: Compiler, tree: Node) -> Code:
    return end_chain(compile_chain(compiler, tree.children), tree.children)


def compile_chain(compiler: Compiler, trees: Sequence[Node], next: Node = None) -> Code:
    """Compile a value and its links. `next` is the link that follows, which is compiled elsewhere."""
    nesting = compiler.nesting
    code = compiler.code(trees[0])
    for link in trees[1:]:
        compiler.nesting += 1
        code = _LINKS[link.data](compiler, _require_present(code) if _optional(link) else code, link)
    compiler.nesting = nesting
    return _require_present(code) if _optional(next) else code


def end_chain(code: Code, trees: Sequence[Node]) -> Code:
    """Return code for a whole chain. If it stops before a `..`, its value is the value there."""
    if not any(map(_optional, trees)):
        return code

    def end(run: Run) -> Value:
        try:
            return code(run)
        except ChainStopped as stopped:
            return stopped.value

    return end


def _optional(link: Node) -> bool:
    """Whether the link begins with `..`."""
    return link is not None and link.data in ("member", "method") and link.children[0] == ".."


def _require_present(code: Code) -> Code:
    """Return code that stops the chain if the value is nil or an error."""

    def check(run: Run) -> Value:
        value = code(run)
        if value is None or type(value) is Failure:
            raise ChainStopped(value)
        return value

    return check


def _member(compiler: Compiler, owner: Code, link: Node) -> Code:
    name = str(link.children[1])
    compiler.effects.on_variable = False
    return lambda run: member_of(owner(run), name)


def _method(compiler: Compiler, owner: Code, link: Node) -> Code:
    name = str(link.children[1])
    compiler.effects.method(name)
    args = compiler.codes(link.children[2].children)
    compiler.effects.on_variable = False
    return call_method(owner, name, args)


def _index(compiler: Compiler, owner: Code, link: Node) -> Code:
    index = compiler.code(link.children[0])
    return lambda run: item_of(owner(run), index(run))


def _slice(compiler: Compiler, owner: Code, link: Node) -> Code:
    given = compile_bounds(compiler, link)
    return lambda run: slice_of(run, owner(run), *[bound(run) for bound in given])


def compile_bounds(compiler: Compiler, link: Node) -> list[Code]:
    """Compile the start, stop and step of a slice; those that are left out return nil."""
    given = [_nothing if child is None else compiler.code(child) for child in link.children[::2]]
    return [*given, _nothing, _nothing, _nothing][:3]


def _nothing(run: Run) -> Value:
    return None


_LINKS: dict[str, Callable[[Compiler, Code, Node], Code]] = {
    "member": _member,
    "method": _method,
    "index": _index,
    "slice": _slice,
}

"""Compiles a syntax tree: each node becomes a Python function of the Run, made once and called often.

The other modules of this package declare how the nodes of each rule are compiled:

    @rule("ternary")
    def _ternary(compiler: Compiler, tree: Node) -> Code: ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from .....wire.things import errors
from .. import limits
from ..runtime.run import Code
from ..syntax.parser import Node, place_of
from .effects import Effects

if TYPE_CHECKING:
    from ..values.types import Formatter

__all__ = ["RULES", "Compiler", "rule"]


class Compiler:
    """The state of compiling one text.

    Args:
        text: the text.
        formatter: formats the closures in it.

    Attributes:
        effects: what the part that has been compiled may change.
        nesting: the number of nested nodes that are being compiled.
        loops: the number of nested loops that are being compiled, within the innermost closure.
    """

    __slots__ = ("effects", "formatter", "loops", "nesting", "text")

    def __init__(self, text: str, formatter: Formatter) -> None:
        self.text = text
        self.formatter = formatter
        self.effects = Effects()
        self.nesting = 0
        self.loops = 0

    def code(self, tree: Node) -> Code:
        """Compile an expression.

        Raises:
            SyntaxError: it is nested too deep.
        """
        self.nesting += 1
        if self.nesting > limits.MAX_NESTING:
            raise errors.SyntaxError(
                f"{place_of(tree)}: expected at most {limits.MAX_NESTING} levels of nesting"
            )
        try:
            return RULES[tree.data](self, tree)
        finally:
            self.nesting -= 1

    def codes(self, trees: Sequence[Node]) -> list[Code]:
        """Compile several expressions, in their order."""
        return [self.code(tree) for tree in trees]

    def source(self, tree: Node) -> str:
        """Return the part of the text that the tree was parsed from; "" for an empty tree."""
        if not hasattr(tree.meta, "start_pos"):
            return ""
        return self.text[tree.meta.start_pos : tree.meta.end_pos]


Rule: TypeAlias = Callable[[Compiler, Node], Code]
Declared = TypeVar("Declared", bound=Rule)

RULES: dict[str, Rule] = {}
"""The functions that compile nodes, by the name of the rule."""


def rule(*names: str) -> Callable[[Declared], Declared]:
    """Declare a function that compiles the nodes of these rules of the grammar."""

    def declare(compile: Declared) -> Declared:
        RULES.update(dict.fromkeys(names, compile))
        return compile

    return declare

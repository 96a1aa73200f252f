"""Compiles a syntax tree: each node becomes one Python function of the Run, made once and called often.

The modules beside this one say what each rule of the grammar becomes:

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
        text: it.
        formatter: for the closures in it.

    Attributes:
        effects: what the text may change, as far as it has been compiled.
        nesting: how many nodes within each other are being compiled.
        loops: how many loops within each other are being compiled, within the innermost closure.
    """

    __slots__ = ("effects", "formatter", "loops", "nesting", "text")

    def __init__(self, text: str, formatter: Formatter) -> None:
        self.text = text
        self.formatter = formatter
        self.effects = Effects()
        self.nesting = 0
        self.loops = 0

    def code(self, tree: Node) -> Code:
        """Compile any expression.

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
        """The part of the text that the tree was made of; "" if it is empty."""
        if not hasattr(tree.meta, "start_pos"):
            return ""
        return self.text[tree.meta.start_pos : tree.meta.end_pos]


Rule: TypeAlias = Callable[[Compiler, Node], Code]
Declared = TypeVar("Declared", bound=Rule)

RULES: dict[str, Rule] = {}
"""What compiles a node, by the name of its rule."""


def rule(*names: str) -> Callable[[Declared], Declared]:
    """Declare that a function compiles the nodes of these rules of the grammar."""

    def declare(compile: Declared) -> Declared:
        RULES.update(dict.fromkeys(names, compile))
        return compile

    return declare

"""Formats the source of closures as ThingsDB does: laid out for people, or without white space if stored."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lark import Token

    from .parser import Node


__all__ = ["compact_source", "format_source"]

_MAX_LINE = 40
"""Characters of a chain of calls or of a `? :` above which it is written on several lines."""

_GAP = re.compile(r"(?:\s|//[^\n]*|/\*(?:.|\n)*?\*/)*")
_WORDS = {"nil", "true", "false"}


def compact_source(text: str, tokens: Iterable[Token]) -> str:
    """Return the text without comments and without white space, except where it separates words."""
    parts: list[str] = []
    for token in tokens:
        start, end = token.start_pos or 0, token.end_pos or 0
        if token in ("else", "in") and text[start - 1 : start].isspace():
            parts.append(" ")
        parts.append(token)
        if token in ("else", "in", "return") and text[end : end + 1].isspace():
            parts.append(" ")
    return "".join(parts)


def format_source(text: str, tree: Node) -> str:
    """Return the text of the tree, laid out anew."""
    writer = _Writer(text)
    writer.write(tree)
    return "".join(writer.parts)


class _Writer:
    """Writes a tree. The method that is named after a rule writes the nodes of that rule."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._indent = 0
        self.parts: list[str] = []

    def write(self, *pieces: Node) -> None:
        """Write text as it is, and trees by the method of their rule."""
        for piece in pieces:
            if isinstance(piece, str):
                self.parts.append(piece)
            elif piece.data in _WORDS:
                self.parts.append(piece.data)
            else:
                getattr(self, "_" + piece.data)(piece)

    def _line(self) -> str:
        return "\n" + "\t" * self._indent

    def _length(self, start: int, tree: Node) -> int:
        """Return the number of characters from `start` to what follows the tree."""
        gap = _GAP.match(self._text, tree.meta.end_pos)
        return (gap.end() if gap else 0) - start

    def _each(self, trees: Sequence[Node]) -> None:
        for number, tree in enumerate(trees):
            self.write(*([", "] if number else []), tree)

    # -- statements

    def _closure(self, tree: Node) -> None:
        self.write("|")
        names = next((child for child in tree.children if getattr(child, "data", "") == "names"), None)
        self._each(names.children if names else ())
        self.write("| ", tree.children[-1])

    def _block(self, tree: Node) -> None:
        self.write("{")
        self._indent += 1
        for statement in tree.children[0].children:
            self.write(self._line(), statement, ";")
        self._indent -= 1
        self.write(self._line(), "}")

    def _if_else(self, tree: Node) -> None:
        condition, then, otherwise = tree.children
        self.write("if (", condition, ") ", then)
        if otherwise is not None:
            self.write(" else ", otherwise)

    def _for_in(self, tree: Node) -> None:
        names, source, body = tree.children
        self.write("for (")
        self._each(names.children)
        self.write(" in ", source, ") ", body)

    def _return_(self, tree: Node) -> None:
        given = [child for child in tree.children if child is not None]
        self.write("return ") if given else self.write("return")
        self._each(given)

    def _break_(self, tree: Node) -> None:
        self.write("break")

    def _continue_(self, tree: Node) -> None:
        self.write("continue")

    def _ternary(self, tree: Node) -> None:
        condition, then, otherwise = tree.children
        if self._length(tree.meta.start_pos, tree) <= _MAX_LINE:
            return self.write(condition, " ? ", then, " : ", otherwise)
        self.write(condition)
        self._indent += 1
        self.write(self._line(), "? ", then, self._line(), ": ", otherwise)
        self._indent -= 1
        return None

    def _sum(self, tree: Node) -> None:
        for number, child in enumerate(tree.children):
            self.write(*([" ", child, " "] if number % 2 else [child]))

    _either = _both = _compared = _bit_or = _bit_xor = _bit_and = _shifted = _product = _sum

    def _prefixed(self, tree: Node) -> None:
        self.write(*tree.children)

    # -- access and calls

    def _assign(self, tree: Node) -> None:
        target, sign, value = tree.children
        self._access(target, tree, f" {sign} ", value)

    def _postfix(self, tree: Node) -> None:
        self._access(tree, tree)

    _root_member = _root_method = _postfix

    def _access(self, tree: Node, whole: Node, *after: Node) -> None:
        """Write a chain and what comes after it. `whole` is the tree that all of this belongs to."""
        trees = tree.children if tree.data == "postfix" else [tree]
        links: list[list[Node]] = [[]]
        for part in trees:
            if part.data in ("member", "method", "root_member", "root_method"):
                links.append([])
            links[-1].append(part)
        indent, on_lines = self._indent, False
        for number, link in enumerate(links):
            if number and on_lines:
                self.write(self._line())
            elif number and self._breaks(link[0], links[number + 1 :], whole, bool(after)):
                on_lines = True
                self._indent += 1
            for part in link:
                self._part(part)
        self.write(*after)
        self._indent = indent

    def _breaks(self, link: Node, others: list[list[Node]], whole: Node, assigned: bool) -> bool:
        """Whether the links after this one go on lines of their own, because the chain is long."""
        if not others:
            return False
        calls = others[0][0].data == "method" or (assigned and len(others) == len(others[0]) == 1)
        return calls and self._length(link.meta.start_pos, whole) > _MAX_LINE

    def _part(self, part: Node) -> None:
        if part.data in ("member", "root_member"):
            self.write(*part.children)
        elif part.data in ("method", "root_method"):
            chain, name, given = part.children
            self.write(chain, name)
            self._arguments(given)
        elif part.data in ("index", "slice"):
            self.write("[", *[child for child in part.children if child is not None], "]")
        else:
            self.write(part)

    def _arguments(self, tree: Node) -> None:
        self.write("(")
        self._each(tree.children)
        self.write(")")

    def _call(self, tree: Node) -> None:
        name, given = tree.children
        self.write(name)
        self._arguments(given)

    def _instance(self, tree: Node) -> None:
        name, pairs = tree.children
        self.write(name)
        self._pairs(pairs)

    # -- values

    def _variable(self, tree: Node) -> None:
        self.write(tree.children[0])

    _integer = _real = _string = _regex = _variable

    def _template(self, tree: Node) -> None:
        self.write(self._text[tree.meta.start_pos : tree.meta.end_pos])

    def _parenthesis(self, tree: Node) -> None:
        self.write("(", tree.children[0], ")")

    def _list_(self, tree: Node) -> None:
        items = tree.children[0].children
        if len(items) < 2:
            return self.write("[", *items, "]")
        self.write("[")
        self._indent += 1
        for item in items:
            self.write(self._line(), item, ",")
        self._indent -= 1
        return self.write(self._line(), "]")

    def _thing(self, tree: Node) -> None:
        self._pairs(tree.children[0])

    def _pairs(self, tree: Node) -> None:
        pairs = [(pair.children[0].children[0], pair.children[1]) for pair in tree.children]
        if len(pairs) < 2:
            self.write("{")
            for name, value in pairs:
                self.write(name, ": ", *([] if value is None else [value]))
            return self.write("}")
        self.write("{")
        self._indent += 1
        for name, value in pairs:
            self.write(self._line(), name, ":", *([] if value is None else [" ", value]), ",")
        self._indent -= 1
        return self.write(self._line(), "}")

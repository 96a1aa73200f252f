"""Parses text to a syntax tree with Lark. Text that does not fit the grammar raises SyntaxError.

The parser is built when the first query comes, once in a process.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeAlias

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from .....wire.things import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Node", "parse_tree", "place_of", "tokens"]

Node: TypeAlias = Any
"""A Tree of Lark. Its children are Trees and Tokens, as the grammar says."""


@lru_cache(1)
def _lark() -> Lark:
    grammar = files(__package__).joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def parse_tree(code: str) -> Tree[Any]:
    """Return the syntax tree of the code.

    Raises:
        SyntaxError: the code does not parse. The message has the line, the column and what was expected.
    """
    try:
        return _lark().parse(code)
    except UnexpectedToken as error:
        if error.token.type != "$END":
            raise _wrong(code, error.pos_in_stream or 0, error.accepts or error.expected) from None
        raise _wrong(code, len(code), error.accepts or error.expected) from None
    except UnexpectedCharacters as error:
        raise _wrong(code, error.pos_in_stream or 0, error.allowed) from None


def place_of(tree: Node) -> str:
    """Return the line and column where the tree begins, for an error message."""
    return f"line {tree.meta.line}, column {tree.meta.column}"


def tokens(text: str) -> Iterable[Token]:
    """Return the tokens of a text that parses: comments and white space are no tokens."""
    return _lark().parse_interactive(text).iter_parse()


def _wrong(code: str, at: int, expected: Iterable[str] | None) -> errors.SyntaxError:
    line, column = code.count("\n", 0, at) + 1, at - code.rfind("\n", 0, at)
    word = _WORD.match(code, at)
    found = repr(word[0]) if word else "the end"
    return errors.SyntaxError(f"line {line}, column {column}: expected {_described(expected)}, found {found}")


_WORD = re.compile(r"\w{1,24}|[^\w\s]{1,3}|\s")
_VALUE_STARTS = {"STRING", "LBRACE", "REGEX"}
_WORDS = {
    "NAME": "a name",
    "SEMICOLON": "`;`",
    "$END": "the end",
    "RPAR": "`)`",
    "RSQB": "`]`",
    "RBRACE": "`}`",
    "COMMA": "`,`",
    "COLON": "`:`",
    "LPAR": "`(`",
    "LBRACE": "`{`",
    "BACKQUOTE": "a backquote",
    "BAR": "`|`",
    "IN": "`in`",
}


def _described(terminals: Iterable[str] | None) -> str:
    """Describe the terminals that would have been right, for a reader."""
    terminals = set(terminals or ())
    if terminals >= _VALUE_STARTS:
        words = ["a value", *(_WORDS[name] for name in ("RPAR", "RSQB", "RBRACE") if name in terminals)]
    else:
        words = [word for name, word in _WORDS.items() if name in terminals]
        if "AND" in terminals:
            words.append("an operator")
    if not words:
        return "something else"
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))

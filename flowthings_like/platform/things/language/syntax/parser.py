"""Text to syntax trees: Lark reads the text by the grammar; what it cannot read is a SyntaxError.

The parser is made when the first query comes, once in a process.
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
"""A Tree of Lark's; its children are Trees and Tokens, as the grammar says."""


@lru_cache(1)
def _lark() -> Lark:
    grammar = files(__package__).joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def parse_tree(code: str) -> Tree[Any]:
    """The syntax tree of the code.

    Raises:
        SyntaxError: it does not parse; says the line, the column and what was expected there.
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
    """Where the tree begins in its text, as errors say it."""
    return f"line {tree.meta.line}, column {tree.meta.column}"


def tokens(text: str) -> Iterable[Token]:
    """The tokens of a text that parses, without its comments and white space."""
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
    """What the reader needs to know of the terminals that would have been right."""
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

"""Text to programs: Lark reads it, the compiler makes functions of it, short ones are kept.

The parser is made when the first query comes, once in a process.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from lark import Lark, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from .....wire.things import errors
from .. import limits
from ..compiler.compiler import Code, Compiler
from ..values.types import Closure, Layout
from .formatter import compacted, formatted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ..runtime.run import Run
    from ..values.types import Value

__all__ = ["Program", "parse", "parse_closure", "stored_closure"]

_KEPT, _LONGEST_KEPT = 1024, 4096


class Program(NamedTuple):
    """Code that is ready to run.

    Attributes:
        text: it.
        body: called with the Run.
        changes: whether the text says that it may change something stored, see `effects`.
        forbidden: whether it says by `nse` that it changes nothing.
    """

    text: str
    body: Code
    changes: bool
    forbidden: bool


def parse(code: str) -> Program:
    """The program that the text stands for; the same one if it is short and was read before.

    Raises:
        SyntaxError: it does not parse; says the line, the column and what was expected there.
    """
    return _kept(code) if len(code) <= _LONGEST_KEPT else _read(code)


def _read(code: str) -> Program:
    if len(code) > limits.MAX_CODE:
        raise errors.SyntaxError(
            f"expected at most {limits.MAX_CODE} characters of code, not {len(code)}: send data as variables"
        )
    compiler = Compiler(code, _LAYOUT)
    body = compiler.program(_tree(code))
    return Program(code, body, compiler.effects.changes, compiler.effects.forbidden)


_kept = lru_cache(_KEPT)(_read)


def parse_closure(text: str) -> Closure:
    """The closure whose source this is.

    Raises:
        SyntaxError: it does not parse.
        BadDataError: it is not one statement.
        LookupError: it is no closure.
    """
    closure = _closure(text).copy()
    closure.bound = False
    return closure


def stored_closure(text: str) -> Closure:
    """The closure whose source was stored. One that an older version took, and this one does not, is there
    all the same; who calls it gets the error."""
    try:
        return parse_closure(text)
    except errors.ThingsDBError as error:
        said = str(error)

    def refuse(run: Run) -> Value:
        raise errors.SyntaxError(said)

    closure = Closure((), refuse, text, Layout(str, str))
    closure.bound = False
    return closure


@lru_cache(_KEPT)
def _closure(text: str) -> Closure:
    try:
        tree = _tree(text)
    except errors.SyntaxError as error:
        raise errors.SyntaxError(f"invalid syntax in closure: {error}") from None
    found = tree.children[0].children if tree.children else []
    if len(found) != 1:
        raise errors.BadDataError("closure is expecting exactly one statement")
    if found[0].data != "closure":
        raise errors.LookupError("node is not a closure")
    closure = Compiler(text, _LAYOUT).closure_of(found[0])
    closure.definition = formatted(text, found[0])  # while the tree is there
    return closure


@lru_cache(_KEPT // 8)
def _compacted(text: str) -> str:
    return compacted(text, _lark().parse_interactive(text).iter_parse())


@lru_cache(_KEPT // 8)
def _formatted(text: str) -> str:
    return formatted(text, _tree(text).children[0].children[0])


_LAYOUT = Layout(_compacted, _formatted)


@lru_cache(1)
def _lark() -> Lark:
    grammar = files(__package__).joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _tree(code: str) -> Tree[Any]:
    try:
        return _lark().parse(code)
    except UnexpectedToken as error:
        if error.token.type != "$END":
            raise _wrong(code, error.pos_in_stream or 0, error.accepts or error.expected) from None
        raise _wrong(code, len(code), error.accepts or error.expected) from None
    except UnexpectedCharacters as error:
        raise _wrong(code, error.pos_in_stream or 0, error.allowed) from None


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

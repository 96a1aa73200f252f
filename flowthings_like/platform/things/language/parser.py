"""Text to programs: Lark reads it, the compiler makes functions of it, short ones are kept.

The parser is made when the first query comes, once in a process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from lark import Lark, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from .... import things_errors as errors
from .compiler import Code, Compiler

if TYPE_CHECKING:
    from .values import Closure

__all__ = ["MAX_CODE", "Program", "parse", "parse_closure"]

MAX_CODE = 256 << 10
"""Characters of code in one query. Larger data belong into its variables."""

_KEPT, _LONGEST_KEPT = 1024, 4096


class Program(NamedTuple):
    """Code that is ready to run. `body` is called with the Run."""

    text: str
    body: Code


def parse(code: str) -> Program:
    """The program that the text stands for; the same one if it is short and was read before.

    Raises:
        SyntaxError: it does not parse; says the line, the column and what was expected there.
    """
    return _kept(code) if len(code) <= _LONGEST_KEPT else _read(code)


def _read(code: str) -> Program:
    if len(code) > MAX_CODE:
        raise errors.SyntaxError(
            f"expected at most {MAX_CODE} characters of code, not {len(code)}: send data as variables"
        )
    return Program(code, Compiler(code).program(_tree(code)))


_kept = lru_cache(_KEPT)(_read)


@lru_cache(_KEPT)
def parse_closure(text: str) -> Closure:
    """The closure whose source this is.

    Raises:
        SyntaxError: it is not the source of one closure.
    """
    tree = _tree(text)
    found = tree.children[0].children if tree.children else []
    if len(found) != 1 or found[0].data != "closure":
        raise errors.SyntaxError(f"expected the text of one closure, not {text[:60]!r}")
    closure: Closure = Compiler(text).closure(found[0])(None)  # type: ignore[arg-type]  # needs no Run
    return closure


@lru_cache(1)
def _lark() -> Lark:
    grammar = files(__package__).joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _tree(code: str) -> Tree[Any]:
    try:
        return _lark().parse(code)
    except UnexpectedToken as error:
        found = "the end" if error.token.type == "$END" else repr(str(error.token)[:24])
        expected = error.accepts or error.expected
        raise _wrong(code, error, _described(expected), found) from None
    except UnexpectedCharacters as error:
        raise _wrong(code, error, _described(error.allowed), repr(code[error.pos_in_stream :][:1])) from None


def _wrong(code: str, error: UnexpectedInput, expected: str, found: str) -> errors.SyntaxError:
    line, column = error.line, error.column
    if line < 1:  # Lark's way of saying: at the end
        line, column = code.count("\n") + 1, len(code) - (code.rfind("\n") + 1) + 1
    return errors.SyntaxError(f"line {line}, column {column}: expected {expected}, found {found}")


_VALUE_STARTS = {"STRING", "LBRACE", "THING_ID"}
_WORDS = {
    "NAME": "a name",
    "SEMICOLON": ";",
    "$END": "the end",
    "RPAR": ")",
    "RSQB": "]",
    "RBRACE": "}",
    "COMMA": ",",
    "COLON": ":",
    "LPAR": "(",
    "LBRACE": "{",
    "BACKQUOTE": "`",
    "BAR": "|",
    "IN": "in",
}


def _described(terminals: Any) -> str:
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


_: Callable[[str], Program] = parse

"""Text to programs: Lark reads it, the compiler makes functions of it, short ones are kept."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from .....wire.things import errors
from .. import limits
from ..syntax.formatter import compact_source, format_source
from ..syntax.parser import parse_tree, tokens
from ..values.types import Closure, Formatter, Value
from .closures import compile_closure
from .compiler import Compiler
from .statements import sequence

if TYPE_CHECKING:
    from ..runtime.run import Code, Run

__all__ = ["Program", "parse", "parse_closure", "stored_closure"]

_KEPT, _LONGEST_KEPT = 1024, 4096


class Program(NamedTuple):
    """Code that is ready to run.

    Attributes:
        text: it.
        body: called with the Run.
        has_side_effects: whether the text says that it may change something stored, see `effects`.
        forbids_side_effects: whether it says by `nse` that it changes nothing.
    """

    text: str
    body: Code
    has_side_effects: bool
    forbids_side_effects: bool


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
    compiler = Compiler(code, _FORMATTER)
    tree = parse_tree(code)
    body = sequence(compiler, tree.children[0].children) if tree.children else _nothing
    return Program(code, body, compiler.effects.has_side_effects, compiler.effects.is_forbidden)


def _nothing(run: Run) -> Value:
    return None


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

    closure = Closure((), refuse, text, Formatter(str, str))
    closure.bound = False
    return closure


@lru_cache(_KEPT)
def _closure(text: str) -> Closure:
    try:
        tree = parse_tree(text)
    except errors.SyntaxError as error:
        raise errors.SyntaxError(f"invalid syntax in closure: {error}") from None
    found = tree.children[0].children if tree.children else []
    if len(found) != 1:
        raise errors.BadDataError("closure is expecting exactly one statement")
    if found[0].data != "closure":
        raise errors.LookupError("node is not a closure")
    closure = compile_closure(Compiler(text, _FORMATTER), found[0])
    closure.definition = format_source(text, found[0])  # while the tree is there
    return closure


@lru_cache(_KEPT // 8)
def _compact(text: str) -> str:
    return compact_source(text, tokens(text))


@lru_cache(_KEPT // 8)
def _format(text: str) -> str:
    return format_source(text, parse_tree(text).children[0].children[0])


_FORMATTER = Formatter(_compact, _format)

"""Makes programs and closures of text: parses and compiles it. Those of short texts are cached."""

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

_CACHE_SIZE, _MAX_CACHED = 1024, 4096


class Program(NamedTuple):
    """Code that is ready to run.

    Attributes:
        text: the text of the code.
        body: the compiled code.
        has_side_effects: whether the code may change something stored; see `effects`.
        forbids_side_effects: whether the code says by `nse` that it changes nothing.
    """

    text: str
    body: Code
    has_side_effects: bool
    forbids_side_effects: bool


def parse(code: str) -> Program:
    """Return the program of a text: the same one again if the text is short.

    Raises:
        SyntaxError: the text does not parse. The message has the line, the column and what was expected.
    """
    return _cached(code) if len(code) <= _MAX_CACHED else _compile(code)


def _compile(code: str) -> Program:
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


_cached = lru_cache(_CACHE_SIZE)(_compile)


def parse_closure(text: str) -> Closure:
    """Return the closure with this source.

    Raises:
        SyntaxError: the source does not parse.
        BadDataError: it is not one statement.
        LookupError: it is no closure.
    """
    closure = _closure(text).copy()
    closure.bound = False
    return closure


def stored_closure(text: str) -> Closure:
    """Return the closure with this stored source.

    An older version may have accepted a source that this one does not. Then calling the closure raises the
    error.
    """
    try:
        return parse_closure(text)
    except errors.ThingsDBError as error:
        said = str(error)

    def refuse(run: Run) -> Value:
        raise errors.SyntaxError(said)

    closure = Closure((), refuse, text, Formatter(str, str))
    closure.bound = False
    return closure


@lru_cache(_CACHE_SIZE)
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
    closure.definition = format_source(text, found[0])  # now, because the tree is at hand
    return closure


@lru_cache(_CACHE_SIZE // 8)
def _compact(text: str) -> str:
    return compact_source(text, tokens(text))


@lru_cache(_CACHE_SIZE // 8)
def _format(text: str) -> str:
    return format_source(text, parse_tree(text).children[0].children[0])


_FORMATTER = Formatter(_compact, _format)

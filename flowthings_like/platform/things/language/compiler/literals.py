"""Compiles literals: constants, template strings, lists and things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lark import Token, Tree

from ..syntax.literals import checked_flags, parse_int, unescaped, unquoted
from ..values.numbers import check_int64
from ..values.text import joined, text_of
from ..values.types import Regex, Thing, Value
from .compiler import Compiler, rule

if TYPE_CHECKING:
    from ..runtime.run import Code, Run
    from ..syntax.parser import Node

__all__ = ["constant"]


def constant(compiler: Compiler, value: Value) -> Code:
    """Return code that returns the value."""
    compiler.effects.on_variable = False
    return _returning(value)


def _returning(value: Value) -> Code:
    return lambda run: value


@rule("nil")
def _nil(compiler: Compiler, tree: Node) -> Code:
    return constant(compiler, None)


@rule("true")
def _true(compiler: Compiler, tree: Node) -> Code:
    return constant(compiler, True)


@rule("false")
def _false(compiler: Compiler, tree: Node) -> Code:
    return constant(compiler, False)


@rule("integer")
def _integer(compiler: Compiler, tree: Node) -> Code:
    return constant(compiler, check_int64(parse_int(tree.children[0])))


@rule("real")
def _real(compiler: Compiler, tree: Node) -> Code:
    return constant(compiler, float(tree.children[0]))


@rule("string")
def _string(compiler: Compiler, tree: Node) -> Code:
    return constant(compiler, unquoted(tree.children[0]))


@rule("regex")
def _regex(compiler: Compiler, tree: Node) -> Code:
    return constant(compiler, Regex(checked_flags(str(tree.children[0]))))


@rule("template")
def _template(compiler: Compiler, tree: Node) -> Code:
    parts = [
        _returning(unescaped(child)) if isinstance(child, Token) else compiler.code(child)
        for child in tree.children
    ]
    return lambda run: run.charge_new(joined([text_of(part(run)) for part in parts]))


@rule("list_")
def _list(compiler: Compiler, tree: Node) -> Code:
    items = compiler.codes(tree.children[0].children)
    compiler.effects.on_variable = True
    return lambda run: run.items(item(run) for item in items)


@rule("thing")
def _thing(compiler: Compiler, tree: Node) -> Code:
    pairs = [(pair.children[0].children, pair.children[1]) for pair in tree.children[0].children]
    names = [str(key[0]) for key, _ in pairs]
    codes = [compiler.code(Tree("variable", key) if value is None else value) for key, value in pairs]

    def make(run: Run) -> Thing:
        thing = Thing()
        for name, code in zip(names, codes, strict=True):
            run.assign(thing, name, code(run))
        return thing

    return make

"""Compiles operators and parentheses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.operators import BINARY, PREFIX
from ..syntax.literals import parse_int
from ..values.numbers import check_int64
from ..values.types import Thing, Value
from .compiler import Compiler, rule
from .literals import constant

if TYPE_CHECKING:
    from ..runtime.run import Code, Run
    from ..syntax.parser import Node

_CHEAP = frozenset({int, float, bool, type(None), Thing})
"""Types of a left side for which an operator makes no large value."""


@rule("ternary")
def _ternary(compiler: Compiler, tree: Node) -> Code:
    condition, then, otherwise = compiler.codes(tree.children)
    return lambda run: then(run) if condition(run) else otherwise(run)


@rule("either")
def _either(compiler: Compiler, tree: Node) -> Code:
    codes = compiler.codes(tree.children[::2])

    def either(run: Run) -> Value:
        for code in codes:
            value = code(run)
            if value:
                break
        return value

    return either


@rule("both")
def _both(compiler: Compiler, tree: Node) -> Code:
    codes = compiler.codes(tree.children[::2])

    def both(run: Run) -> Value:
        for code in codes:
            value = code(run)
            if not value:
                break
        return value

    return both


@rule("compared", "bit_or", "bit_xor", "bit_and", "shifted", "sum", "product")
def _binary(compiler: Compiler, tree: Node) -> Code:
    first, *rest = compiler.codes(tree.children[::2])
    steps = [(BINARY[sign], code) for sign, code in zip(tree.children[1::2], rest, strict=True)]
    if len(steps) == 1:
        apply, second = steps[0]

        def pair(run: Run) -> Value:
            left = first(run)
            value = apply(left, second(run))
            return value if type(left) in _CHEAP else run.charge_new(value)

        return pair

    def chain(run: Run) -> Value:
        value = first(run)
        for apply, code in steps:
            left, value = value, apply(value, code(run))
            if type(left) not in _CHEAP:
                run.charge_new(value)
        return value

    return chain


@rule("prefixed")
def _prefixed(compiler: Compiler, tree: Node) -> Code:
    sign, operand = tree.children
    if sign == "-" and operand.data == "integer":
        return constant(compiler, check_int64(-parse_int(operand.children[0])))
    apply, value = PREFIX[sign], compiler.code(operand)
    return lambda run: apply(value(run))


@rule("parenthesis")
def _parenthesis(compiler: Compiler, tree: Node) -> Code:
    return compiler.code(tree.children[0])

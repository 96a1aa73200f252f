"""Every rule of the grammar whose nodes are expressions has a function that compiles them."""

from __future__ import annotations

from flowthings_like.platform.things.language.compiler.compiler import RULES
from flowthings_like.platform.things.language.syntax import parser

LINKS = {"member", "method", "index", "slice"}
PARTS = {"start", "statements", "arguments", "pairs", "pair", "key", "names"}


def test_every_rule_is_compiled() -> None:
    made = set()
    for rule in parser._lark().rules:
        is_replaced_by_its_child = rule.options.expand1 and len(rule.expansion) == 1 and not rule.alias
        if not is_replaced_by_its_child and not str(rule.origin.name).startswith("_"):
            made.add(str(rule.alias or rule.origin.name))
    assert made == RULES.keys() | LINKS | PARTS

"""Which columns of a row a filter reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from .nodes import Age, And, Compare, Filter, Has, Matches, Member, Node, Not, Or
from .values import ELEMENTS, ends_in_value

__all__ = ["column_of", "columns_of", "members_of", "reads_all_columns", "rules_of"]


def column_of(member: Member) -> str | None:
    """The column that `mem.login`, `mem.elems.login` or `mem.login.value` names. None for other members."""
    parts = member.parts
    if len(parts) == 1:
        return parts[0]
    while ends_in_value(parts):
        parts = parts[:-1]
    if parts[0] == ELEMENTS:
        parts = parts[1:]
    return parts[0] if len(parts) == 1 else None


def columns_of(node: Node) -> Iterator[str]:
    """The names of the columns that a filter reads, some of them several times."""
    if isinstance(node, Compare) and not isinstance(node.value, Member):  # most rules
        node = node.left
    if isinstance(node, Member):
        name = column_of(node)
        if name is not None:
            yield name
        return
    if isinstance(node, Age) and node.field is None:
        yield "creationDate"
    for one in fields(node):  # type: ignore[arg-type]
        value = getattr(node, one.name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, Node):
                yield from columns_of(inner)


def reads_all_columns(node: Filter) -> bool:
    """Whether a filter looks at all columns of a row: HAS and MATCHES do."""
    return any(isinstance(rule, (Has, Matches)) for rule in rules_of(node))


def rules_of(node: Filter) -> Iterator[Filter]:
    """The rules of which a filter consists."""
    match node:
        case Not(one):
            yield from rules_of(one)
        case And(filters) | Or(filters):
            for one in filters:
                yield from rules_of(one)
        case _:
            yield node


def members_of(rule: Filter) -> Iterator[Member]:
    """The members that stand in a rule."""
    for one in fields(rule):  # type: ignore[arg-type]
        value = getattr(rule, one.name)
        yield from (
            inner for inner in (value if isinstance(value, tuple) else (value,)) if isinstance(inner, Member)
        )

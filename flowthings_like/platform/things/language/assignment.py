"""Assignments. The owner comes first, then the value, then what was there before if the two are combined."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from .access import item_of, look_up, member_of, set_item, set_member
from .run import Run, held
from .values import Value

if TYPE_CHECKING:
    from .operators import Operator

__all__ = ["assign_item", "assign_member", "assign_variable"]

Code: TypeAlias = Callable[[Run], Value]


def assign_variable(name: str, value: Code, combine: Operator | None) -> Code:
    """`name = value`, or `name += value` with what combines the two."""

    def assign(run: Run) -> Value:
        given, frame = value(run), run.frame
        if combine is not None:
            given = combine(look_up(run, name), given)
            frame = frame.holder(name) or frame
        frame[name] = given = held(given)
        return given

    return assign


def assign_member(owner: Code, name: str, value: Code, combine: Operator | None) -> Code:
    """`owner.name = value`."""

    def assign(run: Run) -> Value:
        thing = owner(run)
        given = value(run)
        if combine is not None:
            given = combine(member_of(thing, name), given)
        return set_member(run, thing, name, given)

    return assign


def assign_item(owner: Code, index: Code, value: Code, combine: Operator | None) -> Code:
    """`owner[index] = value`."""

    def assign(run: Run) -> Value:
        container, at = owner(run), index(run)
        given = value(run)
        if combine is not None:
            given = combine(item_of(container, at), given)
        return set_item(run, container, at, given)

    return assign

"""Compiles assignments.

The owner is evaluated first, then the value, then the old value if the two are combined.

As in ThingsDB, the owner is marked as in use while the value is evaluated: `.a = .b = 1` is refused. A set is
combined in place, so everything that refers to it sees the change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.access import item_of, look_up, member_of, set_item, set_member, set_slice
from ..runtime.operators import BINARY, Operator
from ..syntax.parser import Node, place_of
from ..values.types import List, Thing, ThingSet, Value, type_name
from .chains import compile_bounds, compile_chain, end_chain, root
from .compiler import Compiler, rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..runtime.run import Code, Run


@rule("assign")
def _assign(compiler: Compiler, tree: Node) -> Code:
    target, sign, given = tree.children
    combine = BINARY.get(sign[:-1])
    if target.data == "variable":
        return _to_variable(str(target.children[0]), compiler.code(given), combine)
    compiler.effects.assignment()
    if target.data == "root_member":
        return _to_member(root, str(target.children[1]), compiler.code(given), combine)
    if target.data == "postfix":
        *trees, last = target.children
        owner = compile_chain(compiler, trees, last)
        value = compiler.code(given)
        if last.data == "member":
            made = _to_member(owner, str(last.children[1]), value, combine)
            return end_chain(made, target.children)
        if last.data == "index":
            made = _to_item(owner, compiler.code(last.children[0]), value, combine)
            return end_chain(made, target.children)
        if last.data == "slice":
            made = _to_slice(owner, compile_bounds(compiler, last), value, str(sign))
            return end_chain(made, target.children)
    raise errors.SyntaxError(f"{place_of(tree)}: expected a variable, a property or an index before `{sign}`")


def _to_variable(name: str, value: Code, combine: Operator | None) -> Code:
    """`name = value`, or `name += value` if `combine` is the operator."""

    def assign(run: Run) -> Value:
        given = value(run)
        if combine is None:
            run.frame[name] = given
            return given
        old = look_up(run, name)
        combined = _combined(run, combine, old, given)
        if combined is not old:
            (run.frame.holder(name) or run.frame)[name] = combined
        return combined

    return assign


def _to_member(owner: Code, name: str, value: Code, combine: Operator | None) -> Code:
    """`owner.name = value`."""

    def assign(run: Run) -> Value:
        thing = owner(run)
        if type(thing) is not Thing:
            raise errors.TypeError(f"cannot assign properties to `{type_name(thing)}` type")
        run.start_change(thing)
        try:
            given = value(run)
            if combine is None:
                return set_member(run, thing, name, given)
            old = member_of(thing, name)
            combined = _combined(run, combine, old, given)
            return combined if combined is old else set_member(run, thing, name, combined)
        finally:
            thing.in_use = False

    return assign


def _to_item(owner: Code, index: Code, value: Code, combine: Operator | None) -> Code:
    """`owner[index] = value`."""

    def assign(run: Run) -> Value:
        container = _indexed(owner(run))
        run.start_change(container)
        try:
            at = index(run)
            given = value(run)
            if combine is None:
                return set_item(run, container, at, given)
            old = item_of(container, at)
            combined = _combined(run, combine, old, given)
            return combined if combined is old else set_item(run, container, at, combined)
        finally:
            container.in_use = False

    return assign


def _to_slice(owner: Code, bounds: Sequence[Code], value: Code, sign: str) -> Code:
    """`owner[start:stop] = value`."""

    def assign(run: Run) -> None:
        items = _indexed(owner(run))
        if isinstance(items, Thing):
            raise errors.TypeError("type `thing` has no slice support")
        if sign != "=":
            raise errors.TypeError(f"unsupported operand type `{sign}` for slice assignments")
        run.start_change(items)
        try:
            start, stop, step = [bound(run) for bound in bounds]
            set_slice(run, items, value(run), start, stop, step)
        finally:
            items.in_use = False

    return assign


def _indexed(container: Value) -> Thing | List:
    if type(container) not in (Thing, List):
        raise errors.TypeError(f"type `{type_name(container)}` does not support index assignments")
    found: Thing | List = container
    return found


def _combined(run: Run, combine: Operator, old: Value, given: Value) -> Value:
    """Combine the two. If both are sets, the old one is changed and returned."""
    if type(old) is not ThingSet or type(given) is not ThingSet:
        return run.charge_new(combine(old, given))
    things = combine(old, given)
    run.start_change(old)
    try:
        run.collection.mark_items_changed(old, things)
        old.clear()
        old.update(things)
    finally:
        old.in_use = False
    return old

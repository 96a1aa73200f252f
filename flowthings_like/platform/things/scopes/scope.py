"""Where a query runs: in a collection, in the @thingsdb scope, or on the node; and what it finds there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ....wire.things import errors as things_errors
from ..language import Builtin, Collection, Scope
from ..language.values.moments import zone_named
from ..users import NODE, THINGSDB, Place

if TYPE_CHECKING:
    from ....wire.things.scopes import Scope as Named
    from ..database.state import Held
    from ..request_context import Turn

__all__ = ["Functions", "Spot", "TurnScope", "find", "host", "of_scope", "turn_of"]

Functions = dict[str, Builtin]


class Spot(NamedTuple):
    """A scope that was asked for: what privileges are given for, the collection behind it, its name."""

    place: Place
    held: Held | None
    name: str


class TurnScope(Scope):
    """A language's scope that knows whose request it serves."""

    turn: Turn


def find(turn: Turn, named: Named) -> Spot:
    """What a request's scope stands for.

    Raises:
        things_errors.LookupError: there is no such collection or node.
    """
    if named.kind == "collection":
        held = turn.state.collection(named.name)
        return Spot(held.number, held, held.scope)
    if named.kind == "thingsdb":
        return Spot(THINGSDB, turn.state.own, "@thingsdb")
    if named.node not in (None, turn.node.id):
        raise things_errors.LookupError(f"node:{named.node} does not exist: this is the only one")
    return Spot(NODE, None, "@node")


def host(turn: Turn, spot: Spot) -> TurnScope:
    """The scope as code sees it."""
    from .node import FUNCTIONS as OF_NODE
    from .thingsdb import FUNCTIONS as OF_THINGSDB

    if spot.held is None:
        scope = TurnScope(spot.name, Collection("node"), OF_NODE, "node", turn.state.own.node_deep)
    elif spot.place == THINGSDB:
        held = turn.use(spot.held)
        zone = zone_named(held.zone)
        scope = TurnScope(spot.name, held.content, OF_THINGSDB, "thingsdb", held.deep, zone)
    else:
        held = turn.use(spot.held)
        scope = TurnScope(spot.name, held.content, deep=held.deep, zone=zone_named(held.zone))
    scope.turn = turn
    return scope


def turn_of(run: Any) -> Turn:
    """The request that a function of a scope is called for."""
    turn: Turn = run.scope.turn
    return turn


Function = TypeVar("Function", bound=Callable[..., Any])


def of_scope(functions: Functions) -> Callable[[Function], Function]:
    """Makes a Python function one of a scope. The first parameter is the Run; see language.signature."""

    def declare(call: Function) -> Function:
        builtin = Builtin(call)
        functions[builtin.name] = builtin
        return call

    return declare

"""Looks up the scope that a request names: the key of its privileges, and the collection behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...wire.things import errors as things_errors
from .users import NODE, THINGSDB, ScopeKey

if TYPE_CHECKING:
    from ...wire.things.scopes import Scope
    from .database.state import CollectionEntry, State

__all__ = ["ResolvedScope", "resolve_scope"]


class ResolvedScope(NamedTuple):
    """A scope that exists.

    Attributes:
        key: what privileges in it are granted for.
        entry: the collection behind it; None for the node.
        name: its full form, such as @collection:stuff.
    """

    key: ScopeKey
    entry: CollectionEntry | None
    name: str


def resolve_scope(scope: Scope, state: State, node_id: int) -> ResolvedScope:
    """Look up the scope that a request names.

    Raises:
        things_errors.LookupError: there is no such collection or node.
    """
    if scope.kind == "collection":
        entry = state.collection(scope.name)
        return ResolvedScope(entry.number, entry, entry.scope)
    if scope.kind == "thingsdb":
        return ResolvedScope(THINGSDB, state.thingsdb, "@thingsdb")
    if scope.node not in (None, node_id):
        raise things_errors.LookupError(f"node:{scope.node} does not exist: this is the only one")
    return ResolvedScope(NODE, None, "@node")

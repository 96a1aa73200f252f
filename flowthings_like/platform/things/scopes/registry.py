"""The scopes there are, and the functions of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..language import Collection
from ..language.values.moments import zone_named
from ..users import THINGSDB
from . import node, thingsdb
from .functions import RequestScope

if TYPE_CHECKING:
    from ..request_context import Turn
    from ..resolved_scope import ResolvedScope

__all__ = ["open_scope"]


def open_scope(context: Turn, resolved: ResolvedScope) -> RequestScope:
    """The scope as code sees it."""
    if resolved.held is None:
        own = context.state.own
        scope = RequestScope(resolved.name, Collection("node"), node.FUNCTIONS, "node", own.node_deep)
    elif resolved.place == THINGSDB:
        held = context.use(resolved.held)
        zone = zone_named(held.zone)
        scope = RequestScope(resolved.name, held.content, thingsdb.FUNCTIONS, "thingsdb", held.deep, zone)
    else:
        held = context.use(resolved.held)
        scope = RequestScope(resolved.name, held.content, deep=held.deep, zone=zone_named(held.zone))
    scope.context = context
    return scope

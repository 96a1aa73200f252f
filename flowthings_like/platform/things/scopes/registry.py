"""The scopes that exist, and the functions of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..language import Collection
from ..language.values.datetimes import zone_named
from ..users import THINGSDB

# Importing these declares the functions.
from . import collections as collections
from . import node as node
from . import privileges as privileges
from . import tokens as tokens
from . import users as users
from .functions import NODE_FUNCTIONS, THINGSDB_FUNCTIONS, RequestScope

if TYPE_CHECKING:
    from ..request_context import RequestContext
    from ..resolved_scope import ResolvedScope

__all__ = ["open_scope"]


def open_scope(context: RequestContext, resolved: ResolvedScope) -> RequestScope:
    """Return the scope as code sees it, with its functions, time zone and depth of results."""
    if resolved.entry is None:
        depth = context.state.thingsdb.node_deep
        scope = RequestScope(resolved.name, Collection("node"), NODE_FUNCTIONS, "node", depth)
    elif resolved.key == THINGSDB:
        entry = context.use(resolved.entry)
        zone = zone_named(entry.zone)
        scope = RequestScope(
            resolved.name, entry.collection, THINGSDB_FUNCTIONS, "thingsdb", entry.deep, zone
        )
    else:
        entry = context.use(resolved.entry)
        scope = RequestScope(resolved.name, entry.collection, deep=entry.deep, zone=zone_named(entry.zone))
    scope.context = context
    return scope

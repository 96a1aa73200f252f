"""The scope that code runs in: a collection, @thingsdb or @node."""

from __future__ import annotations

from datetime import timezone, tzinfo
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..storage.collection import Collection
    from .builtin import Builtin

__all__ = ["Scope"]


class Scope:
    """The scope that code runs in.

    Args:
        name: its name in error messages: @collection:stuff, @thingsdb or @node.
        collection: what the code reads and changes. The @thingsdb scope has one too, for its procedures.
        functions: the functions of this scope, besides those of every scope.
        kind: only a collection has a root, rooms and things by id; only @node has no procedures.
        deep: how many levels of things a result shows, unless the code says otherwise.
        zone: the time zone of a datetime that names none.
    """

    def __init__(
        self,
        name: str,
        collection: Collection,
        functions: Mapping[str, Builtin] | None = None,
        kind: Literal["collection", "thingsdb", "node"] = "collection",
        deep: int = 1,
        zone: tzinfo = timezone.utc,
    ) -> None:
        self.name = name
        self.collection = collection
        self.functions = functions or {}
        self.kind = kind
        self.deep = deep
        self.zone = zone

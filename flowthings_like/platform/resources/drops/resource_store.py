"""The store with what the resources keep beside it: the cache of flows and tracks, and the index builder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...store.store import Store
from .flow_cache import FlowCache
from .index_builder import IndexBuilder

if TYPE_CHECKING:
    import os


class ResourceStore(Store):
    """A store that resources and drops are read from and written to.

    Args:
        place: a folder (made if missing, the database is `platform.db` in it) or an SQLAlchemy URL.

    Attributes:
        flow_cache: the flows and tracks as the writer sees them; for use inside `write` only.
        indexing: brings drops up to the indexes of their flows, in the background.

    Raises:
        as Store.
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        self.flow_cache = FlowCache()
        super().__init__(place, self.flow_cache)
        self.indexing = IndexBuilder(self.write)

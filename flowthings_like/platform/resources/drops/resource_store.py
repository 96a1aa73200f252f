"""The store with the cache of flows and tracks and the index builder, which resources and drops need."""

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
        indexing: backfills the flows' element indexes, in the background.

    Raises:
        as Store.
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        self.flow_cache = FlowCache()
        super().__init__(place, self.flow_cache)
        self.indexing = IndexBuilder(self.write)

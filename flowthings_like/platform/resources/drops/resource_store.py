"""The store with what resources and drops need: the cache of flows and tracks, indexes, scripts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ...problems import BadRequest
from ...scripts.runner import ScriptRunner
from ...store.store import Store
from .announcements import Announcements
from .flow_cache import FlowCache
from .index_builder import IndexBuilder

if TYPE_CHECKING:
    import os

    from ...bus.bus import Bus
    from ...scripts.script import Answer
    from ..access.rights import Caller


class ResourceStore(Store):
    """A store that resources and drops are read from and written to.

    Args:
        place: a folder (made if missing, the database is `platform.db` in it) or an SQLAlchemy URL.
        folder: where the platform's files are if `place` is the URL of a server; None for nowhere.
        bus: between the processes that use the database; by default the folder that they share.

    Attributes:
        flow_cache: the flows and tracks as the writer sees them; for use inside `write` only.
        announcements: of drops that were created, for live messages.
        indexing: backfills the flows' element indexes, in the background.
        scripts: runs the JavaScript of tracks and tasks.
        script_reads: (store, caller, name, arguments) -> what a script asks for, with the caller's rights.
            The application sets it.

    Raises:
        as Store.
    """

    def __init__(
        self,
        place: str | os.PathLike[str],
        folder: str | os.PathLike[str] | None = None,
        bus: Bus | None = None,
    ) -> None:
        self.flow_cache = FlowCache()
        super().__init__(place, self.flow_cache, folder, bus)
        self.announcements = Announcements(self.bus, self.shared_folder)
        self.indexing = IndexBuilder(self.write)
        self.scripts = ScriptRunner()
        self.script_reads: Callable[[ResourceStore, Caller, str, list[Any]], Any] = _nothing_to_read

    def script_answers(self, caller: Caller) -> Answer:
        """The function that looks up what a script of this caller asks for."""
        return partial(self.script_reads, self, caller)

    def close(self) -> None:
        """Write what is queued, let scripts end, then close the files. More calls do nothing."""
        self.scripts.close()
        super().close()


def _nothing_to_read(_store: ResourceStore, _caller: Caller, name: str, _arguments: list[Any]) -> Any:
    raise BadRequest(f"{name} cannot be asked here")

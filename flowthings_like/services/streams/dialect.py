"""What a client needs of a version of BTrDB's protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from uuid import UUID

    import numpy as np
    from numpy.typing import NDArray

    from .points import RawPoint, RawPoints, StatPoints

__all__ = ["ChangedRanges", "Descriptor", "Dialect", "Nearest", "StreamState"]

Texts = Mapping[str, "str | None"]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """The metadata of a stream.

    Attributes:
        annotations: their texts, as they are sent.
        property_version: counts the changes of tags, annotations and collection.
    """

    uuid: UUID
    collection: str
    tags: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    property_version: int = 0


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream's version, and its metadata if they were asked for."""

    version: int
    descriptor: Descriptor | None


class Nearest(NamedTuple):
    """A point, and the version of the stream that was read."""

    point: RawPoint
    version: int


class ChangedRanges(NamedTuple):
    """Ranges of times that have changed, and the version of the stream that was read."""

    ranges: list[tuple[int, int]]
    version: int


class Dialect(ABC):
    """A version of the protocol. Arguments have been checked; times are nanoseconds; version 0 is the latest.

    Attributes:
        batch_size: how many points one insert may have. It is lowered when the server refuses so many.
        exact_windows: whether `windows` counts all points of any range exactly.
        has_sql: whether `sql` can be called.
    """

    batch_size: int
    exact_windows = True
    has_sql = True

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """The server's version and proxies."""

    @abstractmethod
    def create(self, uuid: UUID, collection: str, tags: Texts, annotations: Texts) -> None:
        """Create a stream."""

    @abstractmethod
    def stream_info(self, uuid: UUID, *, version: bool = True, descriptor: bool = True) -> StreamState:
        """Version and metadata of a stream; what is not asked for is 0 or None."""

    @abstractmethod
    def set_tags(self, uuid: UUID, expected: int, tags: Texts, collection: str) -> None:
        """Change tags and collection, if the property version is the expected one."""

    @abstractmethod
    def set_annotations(
        self, uuid: UUID, expected: int, changes: Mapping[str, str], removals: Sequence[str]
    ) -> None:
        """Change and remove annotations, if the property version is the expected one."""

    @abstractmethod
    def list_collections(self, prefix: str) -> Iterator[str]:
        """The names of the collections that begin with a prefix."""

    @abstractmethod
    def lookup(
        self, collection: str, is_prefix: bool, tags: Texts, annotations: Texts
    ) -> Iterator[Descriptor]:
        """The streams of a collection that have these tags and annotations; None stands for any value."""

    @abstractmethod
    def metadata_usage(self, prefix: str) -> tuple[dict[str, int], dict[str, int]]:
        """How often each tag and each annotation is used."""

    @abstractmethod
    def insert(
        self,
        uuid: UUID,
        times: NDArray[np.int64],
        values: NDArray[np.float64],
        merge: int,
    ) -> int:
        """Insert points with one call. Returns the stream's version."""

    @abstractmethod
    def delete(self, uuid: UUID, start: int, end: int) -> int:
        """Delete points. Returns the stream's version."""

    @abstractmethod
    def flush(self, uuid: UUID) -> int:
        """Commit what is buffered. Returns the stream's version."""

    @abstractmethod
    def obliterate(self, uuid: UUID) -> None:
        """Delete a stream."""

    @abstractmethod
    def nearest(self, uuid: UUID, time: int, version: int, backward: bool) -> Nearest | None:
        """The first point at or after a time, or the last one before it."""

    @abstractmethod
    def raw_values(self, uuid: UUID, start: int, end: int, version: int) -> Iterator[RawPoints]:
        """The points in a range, in parts as they arrive. There may be no part."""

    @abstractmethod
    def windows(
        self, uuid: UUID, start: int, end: int, version: int, width: int, depth: int
    ) -> Iterator[StatPoints]:
        """Windows of any width, in parts as they arrive. There may be no part."""

    @abstractmethod
    def aligned_windows(
        self, uuid: UUID, start: int, end: int, version: int, point_width: int
    ) -> Iterator[StatPoints]:
        """Windows of 2 ** point_width nanoseconds, in parts as they arrive. There may be no part."""

    @abstractmethod
    def changes(self, uuid: UUID, since: int, until: int, resolution: int) -> Iterator[ChangedRanges]:
        """Which ranges have changed between two versions, in parts as they arrive."""

    @abstractmethod
    def sql(self, query: str, params: Sequence[str]) -> Iterator[Any]:
        """The rows of a query about metadata."""

    @abstractmethod
    def call_store(self, method: str, params: Any, answer: Any) -> Any:
        """Make a call that only the embedded platform's store has."""

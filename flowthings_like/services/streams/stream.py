"""Stream: one time series, its points and its metadata."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from ...errors import FlowThingsError, InvalidInput
from ...green.calls.markers import plain, reads
from ...telemetry.event import Family
from ...wire.btrdb.errors import StreamNotFoundError
from ..in_parallel import InParallel
from .arguments import (
    AnnotationEncoder,
    check_collection,
    check_version,
    decode_annotation,
    encode_annotations,
    to_tags,
    to_uuid,
)
from .dialect import Descriptor
from .needed import needed
from .stream_points import PointCalls
from .times import MAXIMUM_TIME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from json import JSONEncoder
    from uuid import UUID

    from .dialect import Dialect
    from .owner import Owner
    from .parallel import AsyncStream, LazyStream
    from .points import Points

__all__ = ["Stream"]

_WINDOWS_LOG = 9  # windows in a drawing: up to 2 ** this


class Stream(PointCalls, InParallel):
    """One time series. Make it with `Client.stream_from_uuid`, `Client.create` or a search.

    It holds no points. Tags, annotations and collection are fetched when they are first needed, and kept
    until `refresh_metadata`.

    Args:
        btrdb: the client.
        uuid: the stream's UUID, or its text.
        collection, tags, annotations, property_version: the metadata, if they are known.
    """

    __api_family__ = Family.STREAMS

    def __init__(
        self,
        btrdb: Owner,
        uuid: UUID | str,
        *,
        known_to_exist: bool = False,
        collection: str | None = None,
        tags: Mapping[str, str] | None = None,
        annotations: Mapping[str, Any] | None = None,
        property_version: int = 0,
    ) -> None:
        self._client = btrdb
        self._uuid = to_uuid(uuid)
        self._is_known = known_to_exist
        self._pinned = 0
        self._descriptor: Descriptor | None = None
        if collection is not None:
            texts = encode_annotations(annotations)
            self._descriptor = Descriptor(
                self._uuid,
                collection,
                {key: value or "" for key, value in to_tags(tags).items()},
                {key: value or "" for key, value in texts.items()},
                property_version,
            )

    @classmethod
    def _of(cls, client: Owner, descriptor: Descriptor) -> Stream:
        stream = cls(client, descriptor.uuid, known_to_exist=True)
        stream._descriptor = descriptor
        return stream

    def _dialect(self) -> Dialect:
        return self._client._dialect()

    def _async_lib(self) -> Any:
        return self._client._async_lib()

    if TYPE_CHECKING:

        def async_(self, pool: Any = None) -> AsyncStream: ...
        def lazy(self, pool: Any = None) -> LazyStream: ...

    # Identity

    @property
    def btrdb(self) -> Any:
        """The Client that it belongs to."""
        return self._client

    @property
    def uuid(self) -> UUID:
        """Its UUID."""
        return self._uuid

    @property
    def collection(self) -> str:
        """The name of its collection. Fetched if it is not known."""
        return self._metadata().collection

    @property
    def name(self) -> str:
        """Its tag "name", "" without one. Fetched if it is not known."""
        return self._metadata().tags.get("name", "")

    @property
    def unit(self) -> str:
        """Its tag "unit", "" without one. Fetched if it is not known."""
        return self._metadata().tags.get("unit", "")

    def __eq__(self, other: object) -> bool:
        return self._uuid == other._uuid if isinstance(other, Stream) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._uuid)

    def __repr__(self) -> str:
        known = self._descriptor
        if known is None:
            return f"<Stream {self._uuid}>"
        return f"<Stream {self._uuid} {known.collection}/{known.tags.get('name', '')}>"

    def _repr_html_(self) -> str:
        from .drawing import figure, paragraph

        try:
            title = f"{self.collection}/{self.name}" + (f" ({self.unit})" if self.unit else "")
            windows = self._overview()
        except FlowThingsError as error:
            return paragraph(repr(self), str(error))
        head = f"<b>{escape(title)}</b> <code>{self._uuid}</code>"
        return paragraph(title, "no points") if windows is None else figure(head, windows.columns)

    def _overview(self) -> Points[Any] | None:
        """Some hundred windows over all points; None if there are none."""
        first, last = self.earliest(), self.latest()
        if first is None or last is None:
            return None
        start, end = first[0].time, last[0].time
        width = max((end - start).bit_length() - _WINDOWS_LOG, 0)
        # Rounded up, because `aligned_windows` rounds the end down.
        return self.aligned_windows(start, min(((end >> width) + 1) << width, MAXIMUM_TIME), width)

    # Metadata

    def _metadata(self) -> Descriptor:
        return self._descriptor or self._refresh()

    def _refresh(self) -> Descriptor:
        descriptor = self._dialect().stream_info(self._uuid, version=False).descriptor
        assert descriptor is not None
        self._descriptor, self._is_known = descriptor, True
        return descriptor

    @reads
    def exists(self) -> bool:
        """Whether there is such a stream. Asked of the server only as long as it is not known."""
        if not self._is_known:
            try:
                self._refresh()
            except StreamNotFoundError:
                return False
        return True

    @reads
    def refresh_metadata(self) -> None:
        """Fetch collection, tags and annotations again."""
        self._refresh()

    @reads
    def tags(self, refresh: bool = False) -> dict[str, str]:
        """The tags, a copy.

        Args:
            refresh: fetch them again.
        """
        return dict((self._refresh() if refresh else self._metadata()).tags)

    @reads
    def annotations(self, refresh: bool = False) -> tuple[dict[str, Any], int]:
        """The annotations, a copy with their values decoded, and the property version.

        Args:
            refresh: fetch them again.
        """
        found = self._refresh() if refresh else self._metadata()
        decoded = {key: decode_annotation(text) for key, text in found.annotations.items()}
        return decoded, found.property_version

    def update(
        self,
        tags: Mapping[str, str] | None = None,
        annotations: Mapping[str, Any] | None = None,
        collection: str | None = None,
        encoder: type[JSONEncoder] | None = AnnotationEncoder,
        replace: bool = False,
    ) -> int:
        """Change metadata.

        Args:
            tags: tags to set; the others stay.
            annotations: annotations to set; the others stay, unless `replace` is set. Values that are not str
                are written as JSON.
            collection: the collection to move to.
            encoder: encodes the values of annotations; None if they are text already.
            replace: remove the annotations that are not given.

        Returns:
            The new property version.

        Raises:
            BTRDBServerError: the metadata were changed by somebody else since they were fetched (code 423).
                Call `refresh_metadata` and decide again.
            InvalidInput: nothing is given.
        """
        if tags is None and annotations is None and collection is None:
            raise InvalidInput("give tags, annotations or a collection to update")
        new_tags = to_tags(tags)
        texts = {key: value or "" for key, value in encode_annotations(annotations, encoder).items()}
        if collection is not None:
            collection = check_collection(collection)
        found, dialect = self._metadata(), self._dialect()
        if tags is not None or collection is not None:
            place = found.collection if collection is None else collection
            dialect.set_tags(self._uuid, found.property_version, new_tags, place)
            found = self._refresh()
        if annotations is not None:
            removed = [key for key in found.annotations if key not in texts] if replace else []
            dialect.set_annotations(self._uuid, found.property_version, texts, removed)
            found = self._refresh()
        return found.property_version

    def obliterate(self) -> None:
        """Delete the stream, its points in all versions, and its metadata."""
        self._dialect().obliterate(self._uuid)
        self._descriptor, self._is_known = None, False

    # Versions and retention

    @plain
    def pin(self, version: int = 0) -> Stream:
        """Read from this version on a fixed version wherever a call names none.

        Args:
            version: its number; 0 for the one that is the latest now.

        Returns:
            The stream itself.
        """
        self._pinned = check_version(version) or self.version()
        return self

    @plain
    def unpin(self) -> Stream:
        """Read the latest version again. Returns the stream itself."""
        self._pinned = 0
        return self

    @property
    def pinned_version(self) -> int:
        """The version that was pinned; 0 if none was."""
        return self._pinned

    @reads
    def get_retention(self) -> dict[str, Any]:
        """The retention policy that is in force for this stream.

        Returns:
            A dict with "remove_older_than", a timedelta or None to keep points for ever; and "is_inherited",
            whether it is that of the collection.

        Raises:
            NotSupported: the server has no retention policies.
        """
        with needed():
            from .store_calls import get_retention
        found = get_retention(self._dialect(), uuid=self._uuid)
        return {"remove_older_than": found.remove_older_than, "is_inherited": found.is_inherited}

    def set_retention(self, remove_older_than: timedelta | None = None, *, inherit: bool = False) -> None:
        """Set a retention policy for this stream, which goes before that of its collection.

        Args:
            remove_older_than: points that are older are removed in the background; None keeps them for ever.
            inherit: remove the stream's own policy, so that the collection's applies.

        Raises:
            NotSupported: the server has no retention policies.
        """
        with needed():
            from .store_calls import set_retention
        set_retention(self._dialect(), remove_older_than, uuid=self._uuid, inherit=inherit)

    # As Arrow tables, by their names in btrdb

    @reads
    def arrow_values(self, start: Any, end: Any, version: int = 0, schema: Any = None) -> Any:
        """The same as `values`, as a pyarrow.Table.

        Args:
            schema: a pyarrow.Schema to cast the table to.
        """
        table = self.values(start, end, version).to_arrow()
        return table if schema is None else table.rename_columns(schema.names).cast(schema, safe=False)

    @reads
    def arrow_windows(self, start: Any, end: Any, width: int, version: int = 0) -> Any:
        """The same as `windows`, as a pyarrow.Table."""
        return self.windows(start, end, width, version=version).to_arrow()

    @reads
    def arrow_aligned_windows(self, start: Any, end: Any, pointwidth: int, version: int = 0) -> Any:
        """The same as `aligned_windows`, as a pyarrow.Table."""
        return self.aligned_windows(start, end, pointwidth, version).to_arrow()

    def arrow_insert(self, data: Any, merge: str = "never") -> int:
        """The same as `insert`."""
        return self.insert(data, merge)

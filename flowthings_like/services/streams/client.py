"""Client: connects to a BTrDB server, finds streams, and makes new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ...errors import InvalidResponse
from ...green.calls.markers import api_factory, plain, reads
from ...transport.outgoing_values import resolve
from ...transport.outgoing_values import text as to_text
from ...transport.retry import Retry, check_retry
from ...wire.btrdb.errors import BTRDBTypeError, ConnectionError, NotSupported
from ..in_parallel import InParallel
from .arguments import check_collection, encode_annotations, to_tags, to_uuid
from .connection import CallChannel, Connection, Open
from .constants import check_concurrency, default_concurrency
from .endpoints import Endpoint, find_endpoint, parse_endpoint
from .finding import Finding
from .inventory import Inventory
from .needed import needed
from .parallel_map import map_parallel
from .stream import Stream
from .streamset import StreamSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    from .dialect import Dialect
    from .parallel import AsyncClient, LazyClient

__all__ = ["Client", "connect"]

A = TypeVar("A")
R = TypeVar("R")

MAX_MESSAGE_BYTES = 64 << 20
"""Bytes of one answer, at most. Long answers come in many."""

TIMEOUT = 60.0
"""Seconds for each call, and for each part of an answer that comes in parts."""


class Client(Finding, Inventory, InParallel):
    """A client of a BTrDB server, version 5 or 4, or of the store in an embedded platform.

    Any number of threads and green threads may use one client: their calls share its connections. It connects
    when it is first used.

    Args:
        endpoint: "host:port" (port 4411 is encrypted, others are not), or grpcs://host:port, or
            grpc://host:port.
        apikey: the key. `repr` does not show it.
        concurrency_limit: calls that may be in flight at once; None for the number in
            PINGTHINGS_CONCURRENCY_LIMIT, else 64.
        timeout: seconds for each call, and for each part of an answer that comes in parts; None for no limit.
        retry: a Retry for calls that fail because the server is not available; False to make each call once.
            Inserts that may have been stored are repeated only if their merge policy makes that harmless.
        max_message_bytes: bytes of one message of an answer, at most.

    Raises:
        ConfigurationError, InvalidInput: an argument cannot be used.
    """

    def __init__(
        self,
        endpoint: str,
        apikey: str | None = None,
        *,
        concurrency_limit: int | None = None,
        timeout: float | None = TIMEOUT,
        retry: Retry | Literal[False] | None = Retry(),  # noqa: B008 (it is immutable)
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        place = parse_endpoint(endpoint, None if apikey is None else to_text(apikey, "apikey"))
        self._set_up(lambda: place, concurrency_limit, retry, _opener(timeout, max_message_bytes))

    def _set_up(
        self,
        locate: Callable[[], Endpoint],
        concurrency_limit: int | None,
        retry: Retry | Literal[False] | None,
        open_channel: Open,
        choose_lib: Callable[[], Any] = lambda: None,
    ) -> None:
        limit = default_concurrency() if concurrency_limit is None else check_concurrency(concurrency_limit)
        self._connection = Connection(locate, open_channel, limit, check_retry(retry))
        self._chosen: Dialect | None = None
        self._choose_lib = choose_lib

    @classmethod
    def _of(
        cls,
        locate: Callable[[], Endpoint],
        *,
        timeout: float | None = TIMEOUT,
        retry: Retry | Literal[False] | None = Retry(),  # noqa: B008
        concurrency_limit: int | None = None,
        open_channel: Open | None = None,
        async_lib: Callable[[], Any] = lambda: None,
    ) -> Client:
        """A client that asks for the endpoint when it is first used."""
        client = cls.__new__(cls)
        opener = open_channel or _opener(timeout, MAX_MESSAGE_BYTES)
        client._set_up(locate, concurrency_limit, retry, opener, async_lib)
        return client

    @staticmethod
    @plain
    def connect(
        profile: str | None = None,
        endpoint: str | None = None,
        apikey: str | None = None,
        concurrency_limit: int | None = None,
        **options: Any,
    ) -> Client:
        """Connect to a server.

        Without a profile, endpoint and key are each taken from the first of these that has them: the
        arguments; the environment (BTRDB_ENDPOINTS, BTRDB_API_KEY); the profile in BTRDB_PROFILE or "default"
        in the file `~/.predictivegrid/credentials.yaml`.

        Args:
            profile: a profile in that file, which then has both.
            endpoint: as for `Client(…)`.
            apikey: the key.
            concurrency_limit: as for `Client(…)`.
            options: the others of `Client(…)`.

        Raises:
            btrdb's ConnectionError: no endpoint is known, or what answers is not BTrDB.
            CredentialsFileNotFound, ProfileNotFound: the profile is not there.
            ConnectionFailed, DeadlineExceeded: the server does not answer.
            PermissionDenied: the key is wrong.
        """
        place = find_endpoint(profile, endpoint, apikey)
        client = Client(str(place), place.key, concurrency_limit=concurrency_limit, **options)
        client._dialect()
        return client

    if TYPE_CHECKING:

        def async_(self, pool: Any = None) -> AsyncClient: ...
        def lazy(self, pool: Any = None) -> LazyClient: ...

    # What streams need

    def _dialect(self) -> Dialect:
        """The version of the protocol that the server speaks."""
        chosen = self._chosen
        if chosen is None:
            chosen = self._chosen = self._choose_dialect()
        return chosen

    def _choose_dialect(self) -> Dialect:
        with needed():
            from .v4 import V4
            from .v5 import V5
        for version in (V5, V4):
            dialect = version(self._connection)
            try:
                dialect.info()
            except (NotSupported, InvalidResponse):
                continue
            return dialect
        raise ConnectionError("what answers there is not a BTrDB server of version 4 or 5")

    def _map(self, function: Callable[[A], R], items: Iterable[A]) -> list[R]:
        """The results of a function for all items, computed at once within the concurrency limit."""
        return map_parallel(function, items, self._connection.concurrency, self._choose_lib())

    def _async_lib(self) -> Any:
        return self._choose_lib()

    def __repr__(self) -> str:
        endpoint = self._connection.endpoint
        return f"<Client of BTrDB{'' if endpoint is None else f' at {endpoint}'}>"

    # The connection

    @property
    def concurrency_limit(self) -> int:
        """Calls that may be in flight at once. Others wait until one has ended.

        An iterator, such as `values_iter` returns, is in flight until it is at its end or closed.
        """
        return self._connection.concurrency

    @concurrency_limit.setter
    def concurrency_limit(self, limit: int) -> None:
        self._connection.concurrency = check_concurrency(limit)

    @reads
    def info(self) -> dict[str, Any]:
        """The server's version: major_version, minor_version, build, and proxy with proxy_endpoints.

        The same stand there by the names that btrdb gives them: majorVersion and so on.
        """
        return self._dialect().info()

    @plain
    def address(self) -> tuple[str, int, str | None]:
        """What any other BTrDB client needs to connect: (host, port, key). It has the key!"""
        endpoint = self._connection.locate()
        return endpoint.host, endpoint.port, endpoint.key

    @plain
    def close(self) -> None:
        """Close the connections. Calls in flight fail, and so do later ones. Closing again does nothing."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # Streams

    def create(
        self,
        uuid: UUID,
        collection: str,
        tags: Mapping[str, str] | None = None,
        annotations: Mapping[str, Any] | None = None,
    ) -> Stream:
        """Create a stream.

        Args:
            uuid: the new stream's UUID, or its text.
            collection: the name of its collection, such as "sensors/jfk".
            tags: texts for the keys "name", "unit", "ingress" and "distiller".
            annotations: any further values by name; those that are not str are written as JSON.

        Raises:
            StreamExists, AmbiguousStream, RecycledUUID: there is such a stream, or was one.
            InvalidCollection, InvalidTagKey, InvalidTagValue: a name is not valid.
        """
        id, place = to_uuid(uuid), check_collection(collection)
        named, texts = to_tags(tags), encode_annotations(annotations)
        self._dialect().create(id, place, named, texts)
        return Stream(
            self,
            id,
            known_to_exist=True,
            collection=place,
            tags=tags,
            annotations=annotations,
            property_version=1,
        )

    @api_factory
    def stream_from_uuid(self, uuid: UUID | str) -> Stream:
        """The stream with this UUID. The server is not asked whether there is one.

        Raises:
            TypeError: it is not a UUID, nor the text of one.
        """
        return Stream(self, uuid)

    @reads
    def streamset_from_uuids(self, uuids: Iterable[UUID | str], fetch_metadata: bool = True) -> StreamSet:
        """The streams with these UUIDs.

        Args:
            uuids: UUIDs, or their texts.
            fetch_metadata: fetch collection, tags and annotations now, of all streams at once. Otherwise they
                are fetched when they are first needed.

        Raises:
            StreamNotFoundError: the metadata are to be fetched, and there is no such stream.
        """
        found = StreamSet([Stream(self, uuid) for uuid in resolve(uuids)], client=self)
        if fetch_metadata:
            found.refresh_metadata()
        return found

    @reads
    def streams(
        self,
        *identifiers: UUID | str,
        versions: Sequence[int] | None = None,
        is_collection_prefix: bool = False,
    ) -> StreamSet:
        """Streams by their UUIDs or by "collection/name".

        Args:
            identifiers: UUIDs, their texts, or names such as "sensors/jfk/temp".
            versions: a version for each, to which it is pinned.
            is_collection_prefix: the collections of names may go on.

        Raises:
            StreamNotFoundError: a name belongs to no stream, or to several.
            ValueError, TypeError: an identifier, or the versions, are not valid.
        """
        return self._streams(identifiers, versions, is_collection_prefix)

    @reads
    def streams_in_collection(
        self,
        collection: str | Sequence[str] = "",
        is_collection_prefix: bool = True,
        tags: Mapping[str, str | None] | None = None,
        annotations: Mapping[str, Any] | None = None,
    ) -> StreamSet:
        """Search for streams.

        Args:
            collection: the collection, or several; upper and lower case differ. "" for all.
            is_collection_prefix: streams of all collections whose names begin so.
            tags, annotations: those that the streams must have; a value of None stands for any.
        """
        if isinstance(is_collection_prefix, str):
            raise BTRDBTypeError("give several collections as a list: streams_in_collection(['a', 'b'])")
        given = resolve(collection)
        names = [given] if isinstance(given, str | bytes) or given is None else list(given)
        wanted = to_tags(tags, allows_none=True), encode_annotations(annotations, allows_none=True)
        dialect = self._dialect()

        def search(name: str) -> list[Stream]:
            found = dialect.lookup(name, bool(is_collection_prefix) or not name, *wanted)
            return [Stream._of(self, descriptor) for descriptor in found]

        checked = [check_collection(name or "", is_prefix=True) for name in names] or [""]
        found = [stream for streams in self._map(search, checked) for stream in streams]
        return StreamSet(dict.fromkeys(found), client=self)

    @reads
    def list_collections(self, prefix: str | None = None, *, starts_with: str | None = None) -> list[str]:
        """The names of the collections.

        Args:
            prefix: only of those that begin so; upper and lower case differ.
            starts_with: the same, by its name in btrdb.
        """
        begin = prefix if starts_with is None else starts_with
        return list(self._dialect().list_collections(check_collection(begin or "", is_prefix=True)))

    @reads
    def collection_metadata(self, prefix: str = "") -> tuple[dict[str, int], dict[str, int]]:
        """How often each tag and each annotation occurs in the collections that begin with a prefix."""
        return self._dialect().metadata_usage(check_collection(prefix, is_prefix=True))


def connect(
    endpoint: str | None = None,
    apikey: str | None = None,
    profile: str | None = None,
    **options: Any,
) -> Client:
    """Connect to a server. It is `Client.connect` with the endpoint as its first argument.

    >>> client = connect("example.com:4411", apikey="…")  # doctest: +SKIP
    """
    return Client.connect(profile=profile, endpoint=endpoint, apikey=apikey, **options)


def _opener(timeout: float | None, max_message_bytes: int) -> Open:
    """What opens a channel with these options."""

    def open_channel(endpoint: Endpoint, concurrency: int) -> CallChannel:
        with needed():
            from ...transport.grpc.channel import Channel
        metadata = [("authorization", f"Bearer {endpoint.key}")] if endpoint.key else []
        return Channel(
            endpoint.host,
            endpoint.port,
            tls=endpoint.tls,
            metadata=metadata,
            max_message_bytes=max_message_bytes,
            timeout=timeout,
            concurrency=concurrency,
        )

    return open_channel

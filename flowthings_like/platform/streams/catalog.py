"""Metadata of streams: collections, tags and annotations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .problems import Code, StreamProblem
from .state import CREATED, no_such_stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .database import Database
    from .transaction import Transaction

__all__ = ["TAGS", "Catalog", "Descriptor", "change_annotations", "change_tags", "create"]

TAGS = ("name", "unit", "ingress", "distiller")
"""The tags that a stream has. A tag that was never set is an empty string."""

_LONGEST_COLLECTION = 255
_LONGEST_TAG = 255
_LONGEST_KEY = 255
_LONGEST_ANNOTATIONS = 64 << 10

_COLUMNS = "uuid, collection, name, unit, ingress, distiller, annotations, property_version"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A stream's metadata.

    Attributes:
        uuid: its identity in the account.
        collection: its path.
        tags: a value for each of TAGS.
        annotations: any keys and values.
        property_version: 1 at first, and one more after each change.
    """

    uuid: UUID
    collection: str
    tags: dict[str, str]
    annotations: dict[str, str]
    property_version: int


class Catalog:
    """Finds streams of an account. Its methods are called in native threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def descriptor(self, stream: int) -> Descriptor:
        """The metadata of the stream with a number. Raises NO_SUCH_STREAM."""
        rows = self._database.rows(f"select {_COLUMNS} from streams where id = $1", [stream])
        if not rows:
            raise no_such_stream()
        return _descriptor(rows[0])

    def collections(self, account: str, prefix: str) -> list[str]:
        """The collections whose names begin with a prefix, sorted."""
        rows = self._database.rows(
            "select distinct collection from streams "
            "where account = $1 and starts_with(collection, $2) order by collection",
            [account, prefix],
        )
        return [name for (name,) in rows]

    def lookup(
        self,
        account: str,
        collection: str,
        is_prefix: bool,
        tags: Mapping[str, str | None],
        annotations: Mapping[str, str | None],
    ) -> list[Descriptor]:
        """The streams in a collection that have these tags and annotations.

        Args:
            account: whose streams.
            collection: the name, or how it begins; case counts. An empty prefix is in all of them.
            is_prefix: whether it is how the name begins.
            tags, annotations: keys with a value, or with None for any value.

        Raises:
            StreamProblem: a tag's key is not one of TAGS.
        """
        conditions = ["account = $1", "starts_with(collection, $2)" if is_prefix else "collection = $2"]
        parameters: list[Any] = [account, collection]
        for key, value in tags.items():
            if key not in TAGS:
                raise _unknown_tag(key)
            if value is None:
                conditions.append(f"{key} <> ''")
            else:
                parameters.append(value)
                conditions.append(f"{key} = ${len(parameters)}")
        rows = self._database.rows(
            f"select {_COLUMNS} from streams where {' and '.join(conditions)} order by collection, name, id",
            parameters,
        )
        found = [_descriptor(row) for row in rows]
        if annotations:
            found = [
                each
                for each in found
                if all(
                    key in each.annotations and value in (None, each.annotations[key])
                    for key, value in annotations.items()
                )
            ]
        return found

    def version_at(self, stream: int, time: int) -> int:
        """The version that a stream had at a time of the clock, to the second; 0 before it was created."""
        ((version, created),) = self._database.rows(
            "select (select max(version) from commits where stream = $1 and time <= $2), "
            "(select epoch_ns(created_at) from streams where id = $1)",
            [stream, time],
        )
        if version is not None:
            return int(version)
        return CREATED if created is not None and created <= time else 0

    def usage(self, account: str, prefix: str) -> tuple[dict[str, int], dict[str, int]]:
        """How many streams below a prefix have each tag, and each annotation."""
        tags: dict[str, int] = {}
        annotations: dict[str, int] = {}
        for each in self.lookup(account, prefix, True, {}, {}):
            for key in (key for key, value in each.tags.items() if value):
                tags[key] = tags.get(key, 0) + 1
            for key in each.annotations:
                annotations[key] = annotations.get(key, 0) + 1
        return tags, annotations


def create(
    transaction: Transaction,
    account: str,
    uuid: UUID,
    collection: str,
    tags: Mapping[str, str | None],
    annotations: Mapping[str, str | None],
) -> None:
    """Add a stream.

    Raises:
        StreamProblem: the account has or had a stream with this uuid, or has one with the same collection and
            tags; or something cannot be stored.
    """
    _check_collection(collection)
    known = _checked_tags(tags)
    found = _checked_annotations({}, annotations, ())
    cursor = transaction.cursor
    key = [account, str(uuid)]
    if cursor.execute("select 1 from streams where account = $1 and uuid = $2", key).fetchone():
        raise StreamProblem(Code.STREAM_EXISTS, "a stream with this uuid exists already")
    if cursor.execute("select 1 from obliterated where account = $1 and uuid = $2", key).fetchone():
        raise StreamProblem(Code.RECYCLED_UUID, "the uuid is that of a stream that was obliterated")
    values = [known.get(name, "") for name in TAGS]
    _check_unambiguous(cursor, account, -1, collection, values)
    cursor.execute(
        "insert into streams values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, now(), now(), null, $10, $11)",
        [
            next(transaction.numbers.streams),
            *key,
            collection,
            *values,
            json.dumps(found),
            -(1 << 62),
            CREATED,
        ],
    )
    transaction.has_changed_metadata = True


def change_tags(
    transaction: Transaction,
    stream: int,
    expected: int,
    collection: str,
    tags: Mapping[str, str | None],
    removed: Sequence[str],
) -> int:
    """Set a stream's collection and some of its tags. Returns the new property version."""
    row = _row(transaction, stream, expected)
    collection = collection or row.collection
    _check_collection(collection)
    now = {**row.tags, **_checked_tags(tags), **dict.fromkeys(_checked_tags(dict.fromkeys(removed)), "")}
    values = [now[name] for name in TAGS]
    cursor = transaction.cursor
    (account,) = cursor.execute("select account from streams where id = $1", [stream]).fetchone()
    _check_unambiguous(cursor, account, stream, collection, values)
    cursor.execute(
        "update streams set collection = $2, name = $3, unit = $4, ingress = $5, distiller = $6, "
        "property_version = $7, updated_at = now() where id = $1",
        [stream, collection, *values, row.property_version + 1],
    )
    transaction.has_changed_metadata = True
    return row.property_version + 1


def change_annotations(
    transaction: Transaction,
    stream: int,
    expected: int,
    changes: Mapping[str, str | None],
    removed: Sequence[str],
) -> int:
    """Set or remove some of a stream's annotations. Returns the new property version."""
    row = _row(transaction, stream, expected)
    found = _checked_annotations(row.annotations, changes, removed)
    transaction.cursor.execute(
        "update streams set annotations = $2, property_version = $3, updated_at = now() where id = $1",
        [stream, json.dumps(found), row.property_version + 1],
    )
    transaction.has_changed_metadata = True
    return row.property_version + 1


def _row(transaction: Transaction, stream: int, expected: int) -> Descriptor:
    found = transaction.cursor.execute(f"select {_COLUMNS} from streams where id = $1", [stream]).fetchone()
    if found is None:
        raise no_such_stream()
    row = _descriptor(found)
    if row.property_version != expected:
        raise StreamProblem(
            Code.WRONG_PROPERTY_VERSION,
            f"the property version is {row.property_version}, not {expected}: refresh the metadata first",
        )
    return row


def _descriptor(row: tuple[Any, ...]) -> Descriptor:
    uuid, collection, *tags, annotations, version = row
    return Descriptor(
        uuid if isinstance(uuid, UUID) else UUID(uuid),
        collection,
        dict(zip(TAGS, tags, strict=True)),
        json.loads(annotations),
        version,
    )


def _check_collection(name: str) -> None:
    if not 1 <= len(name.encode()) <= _LONGEST_COLLECTION or "\0" in name:
        raise StreamProblem(
            Code.INVALID_COLLECTION,
            f"a collection's name has 1 to {_LONGEST_COLLECTION} bytes, and no NUL among them",
        )


def _check_unambiguous(cursor: Any, account: str, stream: int, collection: str, values: list[str]) -> None:
    found = cursor.execute(
        "select 1 from streams where account = $1 and collection = $2 and name = $3 and unit = $4 "
        "and ingress = $5 and distiller = $6 and id <> $7",
        [account, collection, *values, stream],
    ).fetchone()
    if found:
        raise StreamProblem(
            Code.AMBIGUOUS_STREAM, "another stream in this collection has the same tags: give it another name"
        )


def _unknown_tag(key: str) -> StreamProblem:
    return StreamProblem(Code.INVALID_TAG_KEY, f"a tag is one of {', '.join(TAGS)}, not {key[:64]!r}")


def _checked_tags(tags: Mapping[str, str | None]) -> dict[str, str]:
    found = {}
    for key, value in tags.items():
        if key not in TAGS:
            raise _unknown_tag(key)
        value = value or ""
        if len(value.encode()) > _LONGEST_TAG or "\0" in value:
            raise StreamProblem(
                Code.INVALID_TAG_VALUE,
                f"a tag's value has at most {_LONGEST_TAG} bytes, and no NUL among them",
            )
        found[key] = value
    return found


def _checked_annotations(
    now: Mapping[str, str], changes: Mapping[str, str | None], removed: Sequence[str]
) -> dict[str, str]:
    found = dict(now)
    for key, value in changes.items():
        if not 1 <= len(key.encode()) <= _LONGEST_KEY or "\0" in key:
            raise StreamProblem(
                Code.INVALID_PARAMETER,
                f"an annotation's key has 1 to {_LONGEST_KEY} bytes, and no NUL among them",
            )
        if value is None:
            found.pop(key, None)
        else:
            found[key] = value
    for key in removed:
        found.pop(key, None)
    if sum(len(key.encode()) + len(value.encode()) for key, value in found.items()) > _LONGEST_ANNOTATIONS:
        raise StreamProblem(
            Code.ANNOTATION_TOO_BIG, f"a stream's annotations have at most {_LONGEST_ANNOTATIONS:,} bytes"
        )
    return found

"""Idempotency keys: a write that is sent again is answered as it was the first time, and not done twice.

A request names its write by a key of the client's choice in the header Idempotency-Key. What the write came
to is kept under that key, in the transaction that writes it, for a day: the two are on disk together or not
at all. Failures are not kept, so what failed may be tried again under the same key.

Nothing is looked up on the usual way, when the key is new: the work is done, then the key is inserted. If
that finds it taken, everything is undone and the kept answer given instead; of two equal requests at the same
moment the single writer does one first. A write that is refused may be a repetition, too (what was to be
deleted is gone), so there the key is looked up before the refusal is believed.

What is kept may hold what nobody else gets to see, such as the string of a new token. So it can be opened
only with what a repetition brings along again: the key, the request and the caller's token, of which there is
no copy.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import sqlalchemy as sql

from ...wire.rest import IDEMPOTENCY_KEY
from .. import ids
from ..problems import BadRequest, Problem, Unavailable
from ..resources.drops.resource_store import ResourceStore
from ..store.bulk import execute_one, upsert
from ..store.schema import idempotency_keys as table

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

    from .request import Request

T = TypeVar("T")

KEPT = 24 * 3_600_000
"""How long an answer is kept, in ms."""

_SHAPE = re.compile(r"[\x21-\x7e]{1,255}")
_PREFIX = 12  # characters of a key that its mark begins with
_PACKED_FROM = 1024  # bytes
_PACKED = b"\x78"  # how zlib begins, and no JSON does
_SEAL = bytes(8)
_SWEEP_EVERY = 256  # writes
_SWEPT_AT_ONCE = 1024  # rows

_KNOWN = sql.select(table.c.result).where(
    table.c.mark == sql.bindparam("mark"), table.c.created > sql.bindparam("since")
)
_EXPIRED = sql.delete(table).where(table.c.created <= sql.bindparam("since"))
_FORGET = _EXPIRED.where(table.c.mark == sql.bindparam("this"))
_NEXT = (
    sql.select(table.c.mark)
    .where(table.c.mark > sql.bindparam("after"))
    .order_by(table.c.mark)
    .limit(1)
    .offset(_SWEPT_AT_ONCE - 1)
)
_SWEEP = _EXPIRED.where(table.c.mark > sql.bindparam("after"))


class IdempotencyKeys:
    """The keys of one store, as far as they need somebody to look after them."""

    def __init__(self) -> None:
        self._writes = itertools.count(1)
        self._swept = b""

    def once(self, request: Request, key: str, token: str) -> ResourceStore:
        """The request's store, in which it can write once, and only if that was not done before.

        Args:
            key: the request's idempotency key.
            token: the string of the token it came with. Keys of different tokens are different keys.

        Raises:
            BadRequest: the key is empty, too long or not printable ASCII.
        """
        if not _SHAPE.fullmatch(key):
            raise BadRequest(f"{IDEMPOTENCY_KEY} must be 1 to 255 printable ASCII characters without blanks")
        return _IdempotentStore(request, key, token, self)

    def sweep(self, connection: Connection, now: int) -> None:
        """Remove a few expired rows, every now and then: a hand that goes round and round the table."""
        if next(self._writes) % _SWEEP_EVERY:
            return
        after = self._swept
        last = connection.execute(_NEXT, {"after": after}).scalar_one_or_none()
        span = _SWEEP if last is None else _SWEEP.where(table.c.mark <= last)
        connection.execute(span, {"after": after, "since": now - KEPT})
        self._swept = last or b""


class _KeyTaken(Exception):
    """The key is there already."""


class _IdempotentStore(ResourceStore):
    """A store as one request sees it: all the parts are the shared ones, only `write` is its own."""

    def __init__(self, request: Request, key: str, token: str, keys: IdempotencyKeys) -> None:
        vars(self).update(vars(request.store))
        self._request: Request | None = request
        self._key = key
        self._secret = secret = f"{key} {token} ".encode()
        # Keys that begin with the time stay in order, which makes them cheap to insert.
        self._mark = key[:_PREFIX].encode() + hashlib.blake2b(secret, digest_size=10).digest()
        self._keys = keys

    def write(self, work: Callable[[Connection], T], *, clears_cache: bool = False) -> T:
        """What `work` returns, or what it returned when the request came for the first time.

        Raises:
            BadRequest: the key was used for another request.
            Whatever ResourceStore.write raises.
        """
        # Forgotten at once: request and store would keep each other alive until the next garbage collection.
        request, self._request = self._request, None
        if request is None:
            raise RuntimeError("a request with an idempotency key writes once, or part of it could be lost")
        secret = _digest(self._secret, request.text())

        def once(connection: Connection) -> T:
            result = work(connection)
            self._keep(connection, _encrypt(orjson.dumps(result), secret))
            return result

        while True:
            try:
                return super().write(once, clears_cache=clears_cache)
            except Unavailable:
                raise
            except _KeyTaken:
                found = self._find(secret)
                if found is None:
                    super().write(self._forget)
            except Problem:
                found = self._find(secret)
                if found is None:
                    raise
            if found is not None:
                result: T = orjson.loads(found)
                return result

    def _keep(self, connection: Connection, encrypted: bytes) -> None:
        now = ids.now_ms()
        row = {"mark": self._mark, "created": now, "result": encrypted}
        if execute_one(connection, _insert(connection.dialect.name), row) == 0:
            raise _KeyTaken
        self._keys.sweep(connection, now)

    def _find(self, secret: bytes) -> bytes | None:
        """The text that is kept under the key, None if there is none, or none young enough."""
        named = {"mark": self._mark, "since": ids.now_ms() - KEPT}
        encrypted = self.read(lambda connection: connection.execute(_KNOWN, named).scalar_one_or_none())
        if encrypted is None:
            return None
        found = _decrypt(encrypted, secret)
        if found is None:
            raise BadRequest(
                f"the {IDEMPOTENCY_KEY} {self._key} was used for another request: "
                "use a new key for each write, and the same one only to send that write again"
            )
        return found

    def _forget(self, connection: Connection) -> None:
        connection.execute(_FORGET, {"this": self._mark, "since": ids.now_ms() - KEPT})


def _digest(*parts: bytes) -> bytes:
    """What an answer is encrypted with. SHA-256 first: of a large request it takes a third of SHAKE takes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


@lru_cache
def _insert(dialect: str) -> Any:
    return upsert(dialect, table).on_conflict_do_nothing()


def _encrypt(text: bytes, secret: bytes) -> bytes:
    """JSON made short and unreadable without the secret, which must never be used for another text."""
    content = _SEAL + (zlib.compress(text, 1) if len(text) >= _PACKED_FROM else text)
    return _masked(content, secret)


def _decrypt(encrypted: bytes, secret: bytes) -> bytes | None:
    """The JSON again, None if this is not the secret it was encrypted with."""
    content = _masked(encrypted, secret)
    if not content.startswith(_SEAL):
        return None
    text = content[len(_SEAL) :]
    return zlib.decompress(text) if text.startswith(_PACKED) else text


def _masked(content: bytes, secret: bytes) -> bytes:
    size = len(content)
    mask = hashlib.shake_256(secret).digest(size)
    return (int.from_bytes(content, "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")

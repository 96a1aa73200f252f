"""Idempotency keys: a write that is sent again gets the result of the first time, and is not done twice.

A request names its write by a key of the client's choice in the header Idempotency-Key. The result is stored
under that key, in the transaction of the write, for a day: both are on disk, or neither. Failures are not
stored, so a failed write may be retried under the same key.

In the usual case, when the key is new, nothing is looked up: the work is done, then the key is inserted. If
the key is there already, everything is undone and the stored result returned instead; of two equal requests
at the same time the single writer does one first. A refused write may be a repetition, too (what it should
delete is gone), so the key is looked up before a refusal is reported.

A result may hold a secret, such as the string of a new token. So it is encrypted with what a repetition sends
again: the key, the request and the caller's token, of which there is no copy.
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
from ..resources.drops.script_runs import ScriptsNeeded
from ..store.bulk import execute_one, upsert
from ..store.schema import idempotency_keys as table

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

    from .request import Request

T = TypeVar("T")

KEPT = 24 * 3_600_000
"""How long a result is stored, in ms."""

SHAPE = re.compile(r"[\x21-\x7e]{1,255}")
"""What a key may be."""

_PREFIX = 12  # characters of a key that its row's mark begins with
_COMPRESSED_FROM = 1024  # bytes
_COMPRESSED = b"\x78"  # zlib's first byte, with which no JSON begins
_MAGIC = bytes(8)
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
    """Makes stores that write once for each idempotency key, and removes expired keys."""

    def __init__(self) -> None:
        self._writes = itertools.count(1)
        self._swept = b""

    def once(self, request: Request, key: str, token: str) -> ResourceStore:
        """The request's store, which does the request's one write only if it was not done before.

        Args:
            key: the request's idempotency key.
            token: the string of the token it came with. Keys of different tokens are different keys.

        Raises:
            BadRequest: the key is empty, too long or not printable ASCII.
        """
        if not SHAPE.fullmatch(key):
            raise BadRequest(f"{IDEMPOTENCY_KEY} must be 1 to 255 printable ASCII characters without blanks")
        return _IdempotentStore(request, key, token, self)

    def sweep(self, connection: Connection, now: int) -> None:
        """Remove some expired rows at every 256th write, each time from the next part of the table."""
        if next(self._writes) % _SWEEP_EVERY:
            return
        after = self._swept
        last = connection.execute(_NEXT, {"after": after}).scalar_one_or_none()
        span = _SWEEP if last is None else _SWEEP.where(table.c.mark <= last)
        connection.execute(span, {"after": after, "since": now - KEPT})
        self._swept = last or b""


class _KeyTaken(Exception):
    """The key is in the table already."""


class _IdempotentStore(ResourceStore):
    """A store for one request: its parts are those of the shared store, and `write` checks the key."""

    def __init__(self, request: Request, key: str, token: str, keys: IdempotencyKeys) -> None:
        vars(self).update(vars(request.store))
        self._request: Request | None = request
        self._key = key
        self._secret = secret = f"{key} {token} ".encode()
        # Keys that begin with the time are inserted in order, which is cheap.
        self._mark = key[:_PREFIX].encode() + hashlib.blake2b(secret, digest_size=10).digest()
        self._keys = keys

    def write(
        self,
        work: Callable[[Connection], T],
        *,
        clears_cache: bool = False,
        committed: Callable[[], object] | None = None,
    ) -> T:
        """The result of `work`, or its result when the request came for the first time.

        Raises:
            BadRequest: the key was used for another request.
            Whatever ResourceStore.write raises.
        """
        # Dropped at once: request and store would keep each other alive until the next garbage collection.
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
                return super().write(once, clears_cache=clears_cache, committed=committed)
            except Unavailable:
                raise
            except _KeyTaken:
                found = self._find(secret)
                if found is None:
                    super().write(self._forget)
            except Problem as problem:
                found = self._find(secret)
                if found is None:
                    if isinstance(problem, ScriptsNeeded):  # the write is made again, with their results
                        self._request = request
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
        """The result stored under the key; None if there is none, or only an expired one."""
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
    """The key that encrypts a result. SHA-256 first: on large requests it takes a third of SHAKE's time."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


@lru_cache
def _insert(dialect: str) -> Any:
    return upsert(dialect, table).on_conflict_do_nothing()


def _encrypt(text: bytes, secret: bytes) -> bytes:
    """JSON made short and unreadable without the secret, which must never be used for another text."""
    content = _MAGIC + (zlib.compress(text, 1) if len(text) >= _COMPRESSED_FROM else text)
    return _masked(content, secret)


def _decrypt(encrypted: bytes, secret: bytes) -> bytes | None:
    """The JSON text, None if it was encrypted with another secret."""
    content = _masked(encrypted, secret)
    if not content.startswith(_MAGIC):
        return None
    text = content[len(_MAGIC) :]
    return zlib.decompress(text) if text.startswith(_COMPRESSED) else text


def _masked(content: bytes, secret: bytes) -> bytes:
    size = len(content)
    mask = hashlib.shake_256(secret).digest(size)
    return (int.from_bytes(content, "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")

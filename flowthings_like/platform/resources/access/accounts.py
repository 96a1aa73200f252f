"""Accounts: who may come in, and as whom.

Tokens are stored as hashes and compared as hashes. What a token comes to is remembered, so that a request
does not cost a look-up each time, until a token, share or group changes: a mark that all processes share
tells that. A change takes effect in every process before it is answered.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import orjson
import sqlalchemy as sql

from ....wire.rest import AUTH_TOKEN
from ... import ids
from ...problems import BadRequest, Forbidden, Unauthorized
from ...store.schema import accounts, resources, token_hashes
from ...store.shared_version import Mark
from . import expiry, share_grants, token_strings
from .rights import Caller, token_grants

if TYPE_CHECKING:
    from ...store.store import Store

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_FRESH = 1.0  # seconds after which a token is looked up in any case
_MARK = "rights.mark"
_MOST_REMEMBERED = 10_000


def check_name(name: object) -> str:
    """The account's name, if it can be one.

    Raises:
        BadRequest: saying what a name looks like.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest(
            "an account's name is 1 to 64 lower-case letters, digits, - and _, the first a letter or digit, "
            f"not {name!r}"
        )
    return name


class _Known(NamedTuple):
    """What a token came to, while the mark stays what it was, and until a moment of the monotonic clock."""

    mark: bytes
    until: float
    caller: Caller


class Accounts:
    """The accounts of one store.

    Args:
        store: where they are kept.
        trusted: {secret: account} of callers within this process, who hold no stored token.
        max_capacity: the largest capacity that callers may give a flow, None for any.
    """

    def __init__(
        self, store: Store, trusted: Mapping[str, str] | None = None, *, max_capacity: int | None = None
    ) -> None:
        self._store = store
        self._max_capacity = max_capacity
        self._mark = Mark(store.folder, _MARK)
        self._remembered: dict[tuple[str, str], _Known] = {}
        self._trusted = {
            secret: Caller(name, self.ensure(name), max_capacity=max_capacity)
            for secret, name in (trusted or {}).items()
        }

    def ensure(self, name: str) -> str:
        """The id of the account's identity; account and identity are made if they do not exist yet."""
        check_name(name)
        return self._store.read(lambda connection: _identity(connection, name)) or self._store.write(
            lambda connection: _create(connection, name)
        )

    def has_master(self, name: str) -> bool:
        """Whether a master token was ever issued for the account."""
        statement = sql.select(sql.func.count()).where(*_master_of(name))
        return self._store.read(lambda connection: bool(connection.execute(statement).scalar_one()))

    def new_master(self, name: str) -> str:
        """Issue a master token in place of the one there may be. Returns its string, which is not stored."""
        string = token_strings.new_string(token_strings.MASTER_LENGTH)
        row = {"hash": token_strings.hashed(string), "account": name, "token_id": None}

        def work(connection: sql.Connection) -> None:
            connection.execute(token_hashes.delete().where(*_master_of(name)))
            connection.execute(token_hashes.insert().values(**row))

        self.ensure(name)
        self._store.write(work)
        self.forget()
        return string

    def is_trusted(self, token: str | None) -> bool:
        """Whether this is the secret of a caller within the process."""
        return token in self._trusted

    def caller(self, token: str | None, account: str) -> Caller:
        """Whoever holds `token`, as a caller of `account`.

        Raises:
            Unauthorized: there is no token.
            Forbidden: it is unknown or expired, or gives no right to anything in this account.
        """
        if not token:
            raise Unauthorized(f"the request needs a token: send it as {AUTH_TOKEN}")
        trusted = self._trusted.get(token)
        if trusted is not None and trusted.account == account:
            return trusted
        key = token_strings.hashed(token), account
        known = self._remembered.get(key)
        # Read before the look-up: what changes meanwhile makes what was found outdated.
        mark, now = self._mark.read(), time.monotonic()
        if known is None or known.mark != mark or known.until < now:
            found = trusted.identity if trusted is not None else None
            caller, remaining = self._store.read(
                lambda connection: (
                    _holder_of_shares(connection, found, account) if found else _holder(connection, *key)
                )
            )
            fresh = _FRESH if remaining is None else min(_FRESH, remaining / 1000)
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            caller = replace(caller, max_capacity=self._max_capacity)
            known = self._remembered[key] = _Known(mark, now + fresh, caller)
        return known.caller

    def forget(self) -> None:
        """Have all processes look again at the next request: a token, share or group has changed."""
        self._mark.change()
        self._remembered.clear()


def _identity(connection: sql.Connection, name: str) -> str | None:
    return connection.execute(
        sql.select(accounts.c.identity).where(accounts.c.name == name)
    ).scalar_one_or_none()


def _create(connection: sql.Connection, name: str) -> str:
    existing = _identity(connection, name)  # another process may have been first
    if existing is not None:
        return existing
    now = ids.now_ms()
    identity = ids.new_id("i", now)
    document = {"id": identity, "name": name, "creationDate": now, "creatorId": identity, "groupIds": []}
    connection.execute(accounts.insert().values(name=name, identity=identity, created=now))
    connection.execute(
        resources.insert().values(
            id=identity, kind="identity", account=name, created=now, body=orjson.dumps(document).decode()
        )
    )
    return identity


def _master_of(name: str) -> tuple[sql.ColumnElement[bool], sql.ColumnElement[bool]]:
    return token_hashes.c.account == name, token_hashes.c.token_id.is_(None)


def _holder(connection: sql.Connection, hash_: str, account: str) -> tuple[Caller, int | None]:
    """Who holds a token, and for how many ms that is so; None for ever."""
    columns = token_hashes.c.account, token_hashes.c.token_id
    row = connection.execute(sql.select(*columns).where(token_hashes.c.hash == hash_)).one_or_none()
    if row is None:
        raise Forbidden("unknown token or account")
    home, token_id = row
    identity = _identity(connection, home)
    if identity is None:
        raise Forbidden("unknown token or account")
    if token_id is None:
        if home == account:
            return Caller(account, identity), None
        return _holder_of_shares(connection, identity, account)
    if home != account:
        raise Forbidden("unknown token or account")
    body = connection.execute(
        sql.select(resources.c.body).where(resources.c.id == token_id)
    ).scalar_one_or_none()
    if body is None:
        raise Forbidden("unknown token or account")
    token = orjson.loads(body)
    remaining = expiry.remaining(token)
    if remaining == 0:
        raise Forbidden("the token has expired")
    return Caller(account, identity, token_grants(token), token_id), remaining


def _holder_of_shares(connection: sql.Connection, identity: str, account: str) -> tuple[Caller, int | None]:
    granted, remaining = share_grants.held(connection, account, identity)
    if not granted:
        raise Forbidden("unknown token or account")
    return Caller(account, identity, granted, is_guest=True), remaining

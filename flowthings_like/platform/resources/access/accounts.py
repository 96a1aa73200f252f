"""Authentication: which caller a token stands for.

Tokens are stored and compared as hashes. The caller of a token is cached, so that a request costs no look-up,
until a token, share or group changes: a version that all processes share tells that. So a change takes effect
in every process before it is answered.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import sqlalchemy as sql

from ....wire.rest import AUTH_TOKEN
from ... import ids
from ...problems import BadRequest, Forbidden, Unauthorized
from ...store.schema import accounts, resources, token_hashes
from . import expiry, share_grants, token_strings
from .rights import Caller, intersection, token_grants

if TYPE_CHECKING:
    from ...store.store import Store

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MAX_AGE = 1.0  # seconds after which a cached caller is looked up again in any case
RIGHTS = "rights"
"""The name of the version that changes with tokens, shares and groups."""
_MOST_CACHED = 10_000


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


MASTER, TRUSTED = "master", "trusted"
"""What a TokenName has in place of an id."""


class TokenName(NamedTuple):
    """A name of a token that is no secret.

    Attributes:
        account: whose it is.
        token: its id; MASTER for the account's master token, TRUSTED for that of a caller in this process.
    """

    account: str
    token: str


class _CachedCaller(NamedTuple):
    """A caller that is valid while the version stays what it was, and until a time of the monotonic clock."""

    version: bytes
    until: float
    caller: Caller


class Accounts:
    """The accounts of one store.

    Args:
        store: where they are kept.
        trusted: {secret: account} of callers within this process, which need no stored token.
        max_capacity: the largest capacity that callers may give a flow, None for any.
    """

    def __init__(
        self, store: Store, trusted: Mapping[str, str] | None = None, *, max_capacity: int | None = None
    ) -> None:
        self._store = store
        self._max_capacity = max_capacity
        self._version = store.bus.version(RIGHTS)
        self._cached: dict[tuple[str, str], _CachedCaller] = {}
        self._trusted = {
            secret: Caller(name, self.ensure(name), max_capacity=max_capacity)
            for secret, name in (trusted or {}).items()
        }
        self._trusted_hashes = {
            token_strings.hashed(secret): caller for secret, caller in self._trusted.items()
        }

    def ensure(self, name: str) -> str:
        """The id of the account's identity. Account and identity are created if they do not exist."""
        check_name(name)
        return self._store.read(lambda connection: _identity(connection, name)) or self._store.write(
            lambda connection: _create(connection, name)
        )

    def new_master(self, name: str) -> str:
        """Issue a master token and revoke the previous one. Returns its string, which is not stored."""
        string = token_strings.new_string(token_strings.MASTER_LENGTH)

        def work(connection: sql.Connection) -> None:
            connection.execute(token_hashes.delete().where(*_master_of(name)))
            connection.execute(token_hashes.insert().values(**_master_row(name, string)))

        self.ensure(name)
        self._store.write(work)
        self.invalidate()
        return string

    def first_master(self, name: str) -> str | None:
        """Issue a master token, unless one was ever issued; then return None. Of several servers that start
        together, one issues it."""
        string = token_strings.new_string(token_strings.MASTER_LENGTH)

        def work(connection: sql.Connection) -> bool:
            if connection.execute(sql.select(token_hashes.c.hash).where(*_master_of(name))).first() is None:
                connection.execute(token_hashes.insert().values(**_master_row(name, string)))
                return True
            return False

        self.ensure(name)
        return string if self._store.write(work) else None

    def is_trusted(self, token: str | None) -> bool:
        """Whether this is the secret of a trusted caller."""
        return token in self._trusted

    def caller(self, token: str | None, account: str) -> Caller:
        """The holder of `token`, as a caller of `account`.

        Raises:
            Unauthorized: there is no token.
            Forbidden: it is unknown or expired, or gives no right to anything in this account.
        """
        if not token:
            raise Unauthorized(f"the request needs a token: send it as {AUTH_TOKEN}")
        trusted = self._trusted.get(token)
        if trusted is not None and trusted.account == account:
            return trusted
        return self.holder(token_strings.hashed(token), account)

    def holder(self, token_hash: str, account: str, version: bytes | None = None) -> Caller:
        """The holder of the token with this hash, as a caller of `account`.

        Args:
            version: a reading of the version RIGHTS, to ask for many callers at a time; None to read it now.

        Raises:
            Forbidden: as `caller`.
        """
        trusted = self._trusted_hashes.get(token_hash)
        if trusted is not None and trusted.account == account:
            return trusted
        key = token_hash, account
        known = self._cached.get(key)
        # Read before the look-up: a change that comes during it makes the result outdated.
        now, version = time.monotonic(), self._version.read() if version is None else version
        if known is None or known.version != version or known.until < now:
            found = trusted.identity if trusted is not None else None
            caller, remaining = self._store.read(
                lambda connection: (
                    _holder_of_shares(connection, found, account) if found else _holder(connection, *key)
                )
            )
            max_age = _MAX_AGE if remaining is None else min(_MAX_AGE, remaining / 1000)
            if len(self._cached) >= _MOST_CACHED:
                self._cached.clear()
            caller = replace(caller, max_capacity=self._max_capacity)
            known = self._cached[key] = _CachedCaller(version, now + max_age, caller)
        return known.caller

    def name_of(self, token: str) -> TokenName:
        """The name of a token. Raises Forbidden if it is unknown."""
        trusted = self._trusted.get(token)
        if trusted is not None:
            return TokenName(trusted.account, TRUSTED)
        columns = token_hashes.c.account, token_hashes.c.token_id
        found = sql.select(*columns).where(token_hashes.c.hash == token_strings.hashed(token))
        row = self._store.read(lambda connection: connection.execute(found).one_or_none())
        if row is None:
            raise Forbidden("unknown token or account")
        return TokenName(row.account, row.token_id or MASTER)

    def hash_of(self, name: TokenName) -> str | None:
        """The hash of the token with this name, None if there is none any more."""
        if name.token == TRUSTED:
            hashes = [key for key, one in self._trusted_hashes.items() if one.account == name.account]
            return hashes[0] if hashes else None
        column = token_hashes.c.token_id
        is_it = column.is_(None) if name.token == MASTER else column == name.token
        found = sql.select(token_hashes.c.hash).where(token_hashes.c.account == name.account, is_it)
        return self._store.read(lambda connection: connection.execute(found).scalars().first())

    def invalidate(self) -> None:
        """Drop the cached callers of all processes, because a token, share or group has changed."""
        self._version.change()
        self._cached.clear()


def _identity(connection: sql.Connection, name: str) -> str | None:
    return connection.execute(
        sql.select(accounts.c.identity).where(accounts.c.name == name)
    ).scalar_one_or_none()


def _create(connection: sql.Connection, name: str) -> str:
    existing = _identity(connection, name)  # another process may have made it
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


def _master_row(name: str, string: str) -> dict[str, Any]:
    return {"hash": token_strings.hashed(string), "account": name, "token_id": None}


def _holder(connection: sql.Connection, hash_: str, account: str) -> tuple[Caller, int | None]:
    """The holder of a token, and for how many ms the token is valid; None for ever."""
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
    granted, device = token_grants(token), token.get("deviceId")
    issuer = token.get("issuedBy", identity)
    if issuer == identity:
        return Caller(account, identity, granted, token_id, device=device), remaining
    # Issued by a guest: it acts for the guest, and gives no more than what is still shared with the guest.
    shared = share_grants.grants_of(connection, account, issuer)
    granted = intersection(granted, shared.grants)
    if not granted:
        raise Forbidden("unknown token or account")
    remaining = min((each for each in (remaining, shared.remaining) if each is not None), default=None)
    return Caller(account, issuer, granted, token_id, is_guest=True, device=device), remaining


def _holder_of_shares(connection: sql.Connection, identity: str, account: str) -> tuple[Caller, int | None]:
    granted, remaining = share_grants.grants_of(connection, account, identity)
    if not granted:
        raise Forbidden("unknown token or account")
    return Caller(account, identity, granted, is_guest=True), remaining

"""Who comes in: a name and password, or a token.

An account comes in under its own name, with its platform token as the password, and so does whoever may read
the folder, with the secret in its lock file. Users made with `new_user` have passwords and tokens of their
own. Passwords are kept as scrypt hashes, tokens as SHA-256: they are random, so nothing slower is needed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sql

from ...green.backends import contract as backend
from ...green.backends.contract import native
from ...wire.things import errors as things_errors
from ...wire.things.packages import unpack
from ..problems import Problem
from ..resources.access.accounts import check_name
from ..store.schema import accounts, things_tokens, things_users

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..resources.access.accounts import Accounts
    from ..store.store import Store

__all__ = ["TOKEN_LENGTH", "Authenticator", "Login", "hash_password", "hash_token", "new_token"]

TOKEN_LENGTH = 22
"""Characters of a token, as ThingsDB has it: 131 bits."""

LONGEST = 127
"""Characters of a name or password, at most."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SALT = 16


class Login(NamedTuple):
    """Somebody who has come in: the account whose database it is, and the user's name there."""

    account: str
    user: str


class Authenticator:
    """Those of one folder.

    Args:
        store: where users are kept.
        accounts: the platform's.
        secret: opens every account.
    """

    def __init__(self, store: Store, accounts: Accounts, secret: str) -> None:
        self._store = store
        self._accounts = accounts
        self._secret = secret
        self._hashing = backend.detect().lock()

    def check(self, credentials: object) -> Login:
        """Whoever the body of an AUTH package stands for.

        Raises:
            things_errors.BadDataError: it is neither [user, password] nor a token.
            things_errors.AuthError: nobody.
        """
        if isinstance(credentials, str):
            return self._by_token(credentials)
        if isinstance(credentials, list | tuple) and len(credentials) == 2:
            name, password = credentials
            if isinstance(name, str) and isinstance(password, str):
                return self._by_password(name, password)
        raise things_errors.BadDataError("to authenticate, send [user, password] or a token, all of them str")

    def is_taken(self, name: str, account: str) -> bool:
        """Whether somebody else than a user of this account comes in under the name."""
        foreign = sql.select(things_users.c.name).where(
            things_users.c.name == name, things_users.c.account != account
        )
        an_account = sql.select(accounts.c.name).where(accounts.c.name == name)
        return self._store.read(
            lambda connection: any(connection.execute(found).first() for found in (foreign, an_account))
        )

    def _by_password(self, name: str, password: str) -> Login:
        found = None
        if 0 < len(name) <= LONGEST and 0 < len(password) <= LONGEST:
            found = self._account(name, password) or self._user(name, password)
        if found is None:
            raise things_errors.AuthError("invalid username or password")
        return found

    def _account(self, name: str, password: str) -> Login | None:
        try:
            check_name(name)
            if hmac.compare_digest(password.encode(), self._secret.encode()):
                self._accounts.ensure(name)
                return Login(name, name)
            caller = self._accounts.caller(password, name)
        except Problem:
            return None
        # A token for some paths only opens none of the rooms.
        return Login(name, name) if caller.rights is None else None

    def _user(self, name: str, password: str) -> Login | None:
        columns = things_users.c.account, things_users.c.body
        statement = sql.select(*columns).where(things_users.c.name == name)
        row = self._store.read(lambda connection: connection.execute(statement).one_or_none())
        if row is None:
            return None
        stored = unpack(row.body)["password"]
        if stored is None:
            return None
        with self._hashing:  # one at a time: it takes a processor, and a native thread that others need
            right = native(_matches, password, stored)
        return Login(row.account, name) if right else None

    def _by_token(self, token: str) -> Login:
        def find(connection: Connection) -> Any:
            columns = things_tokens.c.account, things_tokens.c.body
            statement = sql.select(*columns).where(things_tokens.c.hash == hash_token(token))
            return connection.execute(statement).one_or_none()

        row = self._store.read(find) if len(token) == TOKEN_LENGTH else None
        if row is not None:
            stored = unpack(row.body)
            if stored["expires"] is None or stored["expires"] > time.time():
                return Login(row.account, stored["user"])
        raise things_errors.AuthError("invalid or expired token")


def hash_password(password: str) -> bytes:
    """The password's scrypt hash, its salt in front. Takes tens of milliseconds of a processor."""
    salt = secrets.token_bytes(_SALT)
    return salt + _scrypt(password, salt)


def _matches(password: str, stored: bytes) -> bool:
    return hmac.compare_digest(_scrypt(password, stored[:_SALT]), stored[_SALT:])


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << 14, r=8, p=1)


def new_token() -> str:
    """A fresh token."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(TOKEN_LENGTH))


def hash_token(token: str) -> str:
    """How a token is stored and looked up."""
    return hashlib.sha256(token.encode()).hexdigest()

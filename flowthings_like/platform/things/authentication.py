"""Checks the credentials that clients log in with: a name and a password, or a token.

An account logs in with its own name and, as the password, its platform token or the secret in the folder's
lock file. Users made with `new_user` have passwords and tokens of their own. Passwords are stored as scrypt
hashes. Tokens are stored as SHA-256: they are random, so nothing slower is needed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sql

from ...green.backends import choice as backend
from ...green.backends.choice import native
from ...wire.things import errors as things_errors
from ...wire.things.tokens import TOKEN_LENGTH
from ...wire.things.values import unpack
from ..problems import Problem
from ..resources.access.accounts import check_name
from ..store.schema import accounts, things_tokens, things_users

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..resources.access.accounts import Accounts
    from ..store.store import Store

__all__ = ["Authenticator", "Login", "hash_password", "hash_token", "new_token"]

MAX_LENGTH = 127
"""Characters that a name or a password may have."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SALT_SIZE = 16


class Login(NamedTuple):
    """A client's login: the account whose database it is, and the name of the user in it."""

    account: str
    user: str


class Authenticator:
    """Checks credentials against the accounts, users and tokens of one folder.

    Args:
        store: where users and tokens are stored.
        accounts: the platform's accounts.
        secret: a password that every account can log in with.
    """

    def __init__(self, store: Store, accounts: Accounts, secret: str) -> None:
        self._store = store
        self._accounts = accounts
        self._secret = secret
        self._hashing = backend.detect().lock()

    def authenticate(self, credentials: object) -> Login:
        """Return who the credentials in the body of an AUTH package belong to.

        Raises:
            things_errors.BadDataError: they are neither [user, password] nor a token.
            things_errors.AuthError: they belong to nobody.
        """
        if isinstance(credentials, str):
            return self._by_token(credentials)
        if isinstance(credentials, list | tuple) and len(credentials) == 2:
            name, password = credentials
            if isinstance(name, str) and isinstance(password, str):
                return self._by_password(name, password)
        raise things_errors.BadDataError("to authenticate, send [user, password] or a token, all of them str")

    def is_taken(self, name: str, account: str) -> bool:
        """Whether the name belongs to an account, or to a user of another account."""
        foreign = sql.select(things_users.c.name).where(
            things_users.c.name == name, things_users.c.account != account
        )
        an_account = sql.select(accounts.c.name).where(accounts.c.name == name)
        return self._store.read(
            lambda connection: any(connection.execute(found).first() for found in (foreign, an_account))
        )

    def _by_password(self, name: str, password: str) -> Login:
        found = None
        if 0 < len(name) <= MAX_LENGTH and 0 < len(password) <= MAX_LENGTH:
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
        # A token that is limited to some paths gives no access to rooms.
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
        with self._hashing:  # one at a time: it occupies a processor, and a native thread that others need
            matches = native(_matches, password, stored)
        return Login(row.account, name) if matches else None

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
    """Return the salt and the scrypt hash of the password. Takes tens of milliseconds of processor time."""
    salt = secrets.token_bytes(_SALT_SIZE)
    return salt + _scrypt(password, salt)


def _matches(password: str, stored: bytes) -> bool:
    return hmac.compare_digest(_scrypt(password, stored[:_SALT_SIZE]), stored[_SALT_SIZE:])


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << 14, r=8, p=1)


def new_token() -> str:
    """Return a new random token."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(TOKEN_LENGTH))


def hash_token(token: str) -> str:
    """Return the hash that a token is stored and looked up by."""
    return hashlib.sha256(token.encode()).hexdigest()

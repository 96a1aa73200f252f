"""Finds out which account a call's key belongs to.

A key is a master token of an account, or `account:secret` with the secret in the folder's lock file.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import sqlalchemy as sql

from ...wire.grpc.status import GrpcError, StatusCode
from ..problems import Problem
from ..resources.access import token_strings
from ..resources.access.accounts import check_name
from ..store.schema import token_hashes

if TYPE_CHECKING:
    from ..grpc.context import Context
    from ..resources.access.accounts import Accounts
    from ..store.store import Store

__all__ = ["Authenticator", "key_of"]

_LONGEST_KEY = 256
_MOST_CACHED = 10_000


def key_of(account: str, secret: str) -> str:
    """The key with which an account uses the secret in the lock file."""
    return f"{account}:{secret}"


class Authenticator:
    """Checks keys against the accounts of one folder.

    Args:
        store: where tokens are stored.
        accounts: the platform's accounts.
        secret: what opens every account, as `key_of` writes it.
    """

    def __init__(self, store: Store, accounts: Accounts, secret: str) -> None:
        self._store = store
        self._accounts = accounts
        self._secret = secret.encode()
        self._owners: dict[str, str] = {}  # accounts by the hashes of their tokens
        self._known: set[str] = set()  # accounts that exist; none is ever deleted

    def account(self, context: Context) -> str:
        """The account whose key a call has in its header `authorization: Bearer …`.

        Raises:
            GrpcError: UNAUTHENTICATED. It names neither the key nor anything that was asked for.
        """
        scheme, _, key = context.metadata.get("authorization", "").partition(" ")
        found = self._find(key.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise GrpcError(StatusCode.UNAUTHENTICATED, "invalid api key")
        return found

    def _find(self, key: str) -> str | None:
        if not 0 < len(key) <= _LONGEST_KEY:
            return None
        account, colon, secret = key.rpartition(":")
        try:
            if colon:
                if not hmac.compare_digest(secret.encode(), self._secret):
                    return None
                if account not in self._known:
                    check_name(account)
                    self._accounts.ensure(account)
                    self._known.add(account)
                return account
            owner = self._owner(key)
            if owner is None:
                return None
            caller = self._accounts.caller(key, owner)  # the token may have been replaced meanwhile
        except Problem:
            return None
        return owner if caller.rights is None and not caller.is_guest else None

    def _owner(self, token: str) -> str | None:
        hashed = token_strings.hashed(token)
        found = self._owners.get(hashed)
        if found is None:
            query = sql.select(token_hashes.c.account).where(
                token_hashes.c.hash == hashed, token_hashes.c.token_id.is_(None)
            )
            found = self._store.read(lambda connection: connection.execute(query).scalar_one_or_none())
            if found is not None:
                if len(self._owners) >= _MOST_CACHED:
                    self._owners.clear()
                self._owners[hashed] = found
        return found

"""The ids of sessions: a client that has one may open it, until it expires.

    acme.acme.k51e6a3c01f40a3b9c27d41e0.1764245000.Zm9vYmFyYmF6.b3BhcXVl…
    account, the token's account and name, expiry in seconds, a nonce, a signature

An id is signed with the hash of its token, which the platform stores and its holder can compute; nobody else
knows it. So any process of the platform can check an id, and none has to store it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, NamedTuple

from ..problems import Forbidden, Unauthorized
from ..resources.access.accounts import TokenName, check_name

if TYPE_CHECKING:
    from ..resources.access.accounts import Accounts

__all__ = ["VALID", "Credential", "check", "issue"]

VALID = 600
"""Seconds in which a session has to be opened, or polled for the next time."""


class Credential(NamedTuple):
    """What a session acts with: the hash of a token, and the account that it is used in."""

    token_hash: str
    account: str

    def __repr__(self) -> str:
        return f"Credential(account={self.account!r})"


def issue(accounts: Accounts, token: str | None, account: str | None) -> str:
    """A new session's id.

    Raises:
        Unauthorized: there is no token or no account.
        Forbidden: the token is unknown or expired, or gives no right to anything in this account.
    """
    if not account:
        raise Unauthorized("a session needs an account: send its name as X-Auth-Account")
    accounts.caller(token, account)
    assert token is not None
    home, name = accounts.name_of(token)
    parts = (account, home, name, str(int(time.time()) + VALID), secrets.token_urlsafe(9))
    credential = _credential(accounts, account, TokenName(home, name))
    return ".".join((*parts, _signature(parts, credential)))


def check(accounts: Accounts, session_id: str) -> Credential:
    """What a session acts with.

    Raises:
        Forbidden: this is no session's id, it has expired, or its token is no longer valid.
    """
    *parts, signature = session_id.split(".")
    if len(parts) != 5 or not parts[3].isdecimal():
        raise Forbidden("this is no session: POST /session opens one")
    account, home, name, expiry, _ = parts
    credential = _credential(accounts, check_name(account), TokenName(check_name(home), name))
    if not hmac.compare_digest(signature.encode(), _signature(tuple(parts), credential).encode()):
        raise Forbidden("this is no session: POST /session opens one")
    if int(expiry) < time.time():
        raise Forbidden("the session has expired: POST /session opens another one")
    accounts.holder(*credential)
    return credential


def _credential(accounts: Accounts, account: str, name: TokenName) -> Credential:
    token_hash = accounts.hash_of(name)
    if token_hash is None:
        raise Forbidden("the token of the session is no longer valid")
    return Credential(token_hash, account)


def _signature(parts: tuple[str, ...], credential: Credential) -> str:
    digest = hmac.new(credential.token_hash.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:18]).decode()

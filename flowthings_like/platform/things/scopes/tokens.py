"""The functions of the @thingsdb scope for tokens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ....wire.things import errors as things_errors
from ....wire.things.privileges import Privilege
from .. import authentication
from ..database.state import Token
from .functions import context_of, require_grant, thingsdb_function

if TYPE_CHECKING:
    from ..language import Run
    from ..language.runtime.builtin import Moment, Nil

__all__ = ["describe_token"]


@thingsdb_function
def new_token(run: Run, name: str, expires: Moment | Nil = None, description: str = "") -> str:
    context = context_of(run)
    user = context.state.user(name)
    if user is not context.user:
        context.require(Privilege.GRANT | Privilege.CHANGE)
    until = None if expires is None else expires.timestamp()
    if until is not None and until <= time.time():
        raise things_errors.ValueError("a token cannot expire in the past")
    token = authentication.new_token()
    context.state.put_token(
        authentication.hash_token(token), Token(name, until, int(time.time()), description)
    )
    return token


@thingsdb_function
def has_token(run: Run, token: str) -> bool:
    context = context_of(run)
    context.require(Privilege.GRANT)
    return authentication.hash_token(token) in context.state.tokens


@thingsdb_function
def del_token(run: Run, token: str) -> None:
    context = context_of(run)
    hash_ = authentication.hash_token(token)
    found = context.state.tokens.get(hash_)
    if found is None:
        raise things_errors.LookupError("token not found")
    if found.user != context.user.name:
        context.require(Privilege.GRANT | Privilege.CHANGE)
    context.state.delete_token(hash_)


@thingsdb_function
def del_expired(run: Run) -> None:
    state, now = require_grant(run).state, time.time()
    for hash_ in [hash_ for hash_, token in state.tokens.items() if token.expires and token.expires <= now]:
        state.delete_token(hash_)


def describe_token(token: Token) -> dict[str, Any]:
    """Describe a token. The token itself is not stored, so it cannot be shown again."""
    over = token.expires is not None and token.expires <= time.time()
    status = "expired" if over else "never expires"
    if token.expires is not None and not over:
        status = f"expires at {token.expires:.0f}"
    return {"description": token.description, "created_on": token.created, "status": status}

"""The functions of the @thingsdb scope for users."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from ....wire.things import errors as things_errors
from ....wire.things.privileges import Privilege
from ..authentication import MAX_LENGTH, hash_password
from ..users import User, describe_privileges
from .functions import context_of, require_grant, thingsdb_function
from .tokens import describe_token

if TYPE_CHECKING:
    from ..language import Run
    from ..language.runtime.builtin import Nil
    from ..request_context import RequestContext


@thingsdb_function
def users_info(run: Run) -> list[Any]:
    context = context_of(run)
    context.require(Privilege.GRANT)
    return [_user(context, user) for user in context.state.users.values()]


@thingsdb_function
def user_info(run: Run, name: str | Nil = None) -> dict[str, Any]:
    context = context_of(run)
    if name is None or name == context.user.name:
        return _user(context, context.user)
    context.require(Privilege.GRANT)
    return _user(context, context.state.user(name))


@thingsdb_function
def has_user(run: Run, name: str) -> bool:
    context = context_of(run)
    context.require(Privilege.GRANT)
    return name in context.state.users


@thingsdb_function
def new_user(run: Run, name: str) -> str:
    context = require_grant(run)
    _check_name(context, name)
    context.state.put_user(User(name, created=int(time.time())))
    return name


@thingsdb_function
def del_user(run: Run, name: str) -> None:
    context = require_grant(run)
    user = context.state.user(name)
    if user.owner or user is context.user:
        raise things_errors.OperationError("neither the account itself nor oneself can be deleted")
    context.state.delete_user(user)


@thingsdb_function
def rename_user(run: Run, name: str, new_name: str) -> None:
    """Rename a user. Connections that logged in under the old name have to log in again."""
    context = require_grant(run)
    user = context.state.user(name)
    if user.owner:
        raise things_errors.OperationError(f"`{name}` is the account itself, whose name stays")
    _check_name(context, new_name)
    context.state.rename_user(user, new_name)


@thingsdb_function
def set_password(run: Run, name: str, password: str | Nil) -> None:
    context = context_of(run)
    user = context.state.user(name)
    if user is not context.user:
        context.require(Privilege.GRANT | Privilege.CHANGE)
    if user.owner:
        raise things_errors.OperationError(
            "an account's password is its platform token: `flowthings-like serve --new-token` makes a new one"
        )
    if password is not None and not 0 < len(password) <= MAX_LENGTH:
        raise things_errors.ValueError(f"a password has 1 to {MAX_LENGTH} characters")
    user.password = None if password is None else hash_password(password)
    context.state.put_user(user)


def _check_name(context: RequestContext, name: str) -> None:
    if not 0 < len(name) <= MAX_LENGTH or not name.isprintable():
        raise things_errors.ValueError(f"a user's name is 1 to {MAX_LENGTH} printable characters")
    if name in context.state.users or not context.node.reserve(name, context.state.account):
        raise things_errors.LookupError(f"user `{name}` already exists")


def _user(context: RequestContext, user: User) -> dict[str, Any]:
    names = {entry.number: entry.scope for entry in context.state.collections.values()}
    everywhere = dict.fromkeys(("@node", "@thingsdb", *names.values()), Privilege.FULL)
    own = {names.get(cast("int", key), str(key)): mask for key, mask in user.access.items()}
    granted = everywhere if user.owner else own
    access = [
        {"scope": scope, "privileges": describe_privileges(mask)} for scope, mask in granted.items() if mask
    ]
    tokens = [describe_token(token) for token in context.state.tokens.values() if token.user == user.name]
    return {
        "name": user.name,
        "created_at": user.created,
        "has_password": user.owner or user.password is not None,
        "access": access,
        "tokens": tokens,
    }

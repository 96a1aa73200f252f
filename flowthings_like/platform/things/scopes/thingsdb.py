"""The functions of the @thingsdb scope: collections, users, tokens and privileges."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from ....wire.things import errors as things_errors
from ....wire.things.privileges import Privilege
from ....wire.things.scopes import parse_scope
from ..authentication import MAX_LENGTH, hash_password, hash_token
from ..authentication import new_token as make_token
from ..database.state import Token
from ..language.values.moments import zone_names
from ..language.values.plain import result_depth
from ..resolved_scope import ResolvedScope, resolve_scope
from ..users import User, describe_privileges, privileges
from .functions import Functions, context_of, declare_in

if TYPE_CHECKING:
    from ..database.state import CollectionEntry
    from ..language import Run
    from ..language.runtime.builtin import Moment, Nil
    from ..language.values.types import Value
    from ..request_context import RequestContext

__all__ = ["FUNCTIONS"]

FUNCTIONS: Functions = {}
_function = declare_in(FUNCTIONS)


# -- collections


@_function
def collections_info(run: Run) -> list[Any]:
    context = context_of(run)
    return [_collection(entry) for entry in context.state.collections.values() if _sees(context, entry)]


@_function
def collection_info(run: Run, name: str) -> dict[str, Any]:
    return _collection(context_of(run).state.collection(name))


@_function
def has_collection(run: Run, name: str) -> bool:
    return name in context_of(run).state.collections


@_function
def new_collection(run: Run, name: str) -> str:
    context = _require_change(run)
    entry = context.state.new_collection(name)
    if not context.user.owner:
        context.user.access[entry.number] = Privilege.FULL
        context.state.put_user(context.user)
    return name


@_function
def del_collection(run: Run, name: str) -> None:
    context = _require_change(run)
    entry = context.state.collection(name)
    context.delete_rooms(entry)
    context.state.delete_collection(entry)


@_function
def rename_collection(run: Run, name: str, new_name: str) -> None:
    context = _require_change(run)
    context.state.rename_collection(context.state.collection(name), new_name)


@_function
def set_time_zone(run: Run, scope: str, zone: str) -> None:
    """Set the time zone of datetimes that name none, in a collection or in @thingsdb."""
    context, resolved = _require_change_in(run, scope)
    if zone not in zone_names():
        raise things_errors.ValueError("unknown time zone")
    if resolved.entry is None:
        raise things_errors.LookupError("the @node scope of this node has no time zone but UTC")
    context.state.set_zone(resolved.entry, zone)


@_function
def set_default_deep(run: Run, scope: str, deep: Value) -> None:
    """Set how many levels of things the results of a scope show, unless the code says otherwise."""
    context, resolved = _require_change_in(run, scope)
    depth = result_depth(deep)
    if resolved.entry is None:
        context.state.set_deep(context.state.thingsdb, node_deep=depth)
    else:
        context.state.set_deep(resolved.entry, deep=depth)


@_function
def time_zones_info(run: Run) -> list[str]:
    return sorted(zone_names())


def _require_change_in(run: Run, name: str) -> tuple[RequestContext, ResolvedScope]:
    """Look up a scope, or a collection by its bare name, and require that the user may change it."""
    context = context_of(run)
    try:
        resolved = resolve_scope(parse_scope(name), context.state, context.node.id)
    except things_errors.ValueError:
        entry = context.state.collection(name)
        resolved = ResolvedScope(entry.number, entry, entry.scope)
    context.user.require(resolved.key, Privilege.CHANGE, resolved.name)
    return context, resolved


def _collection(entry: CollectionEntry) -> dict[str, Any]:
    collection = entry.collection
    return {
        "collection_id": entry.number,
        "name": collection.name,
        "things": len(collection.things),
        "created_at": entry.created,
        "next_free_id": collection.next_id,
        "time_zone": entry.zone,
        "default_deep": entry.deep,
    }


def _sees(context: RequestContext, entry: CollectionEntry) -> bool:
    return context.user.owner or bool(context.user.access.get(entry.number))


# -- users


@_function
def users_info(run: Run) -> list[Any]:
    context = context_of(run)
    context.require(Privilege.GRANT)
    return [_user(context, user) for user in context.state.users.values()]


@_function
def user_info(run: Run, name: str | Nil = None) -> dict[str, Any]:
    context = context_of(run)
    if name is None or name == context.user.name:
        return _user(context, context.user)
    context.require(Privilege.GRANT)
    return _user(context, context.state.user(name))


@_function
def has_user(run: Run, name: str) -> bool:
    context = context_of(run)
    context.require(Privilege.GRANT)
    return name in context.state.users


@_function
def new_user(run: Run, name: str) -> str:
    context = _require_grant(run)
    _check_name(context, name)
    context.state.put_user(User(name, created=int(time.time())))
    return name


@_function
def del_user(run: Run, name: str) -> None:
    context = _require_grant(run)
    user = context.state.user(name)
    if user.owner or user is context.user:
        raise things_errors.OperationError("neither the account itself nor oneself can be deleted")
    context.state.delete_user(user)


@_function
def rename_user(run: Run, name: str, new_name: str) -> None:
    """Rename a user. Connections that logged in under the old name have to log in again."""
    context = _require_grant(run)
    user = context.state.user(name)
    if user.owner:
        raise things_errors.OperationError(f"`{name}` is the account itself, whose name stays")
    _check_name(context, new_name)
    context.state.rename_user(user, new_name)


@_function
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
    tokens = [_token(token) for token in context.state.tokens.values() if token.user == user.name]
    return {
        "name": user.name,
        "created_at": user.created,
        "has_password": user.owner or user.password is not None,
        "access": access,
        "tokens": tokens,
    }


# -- tokens


@_function
def new_token(run: Run, name: str, expires: Moment | Nil = None, description: str = "") -> str:
    context = context_of(run)
    user = context.state.user(name)
    if user is not context.user:
        context.require(Privilege.GRANT | Privilege.CHANGE)
    until = None if expires is None else expires.timestamp()
    if until is not None and until <= time.time():
        raise things_errors.ValueError("a token cannot expire in the past")
    token = make_token()
    context.state.put_token(hash_token(token), Token(name, until, int(time.time()), description))
    return token


@_function
def has_token(run: Run, token: str) -> bool:
    context = context_of(run)
    context.require(Privilege.GRANT)
    return hash_token(token) in context.state.tokens


@_function
def del_token(run: Run, token: str) -> None:
    context = context_of(run)
    hash_ = hash_token(token)
    found = context.state.tokens.get(hash_)
    if found is None:
        raise things_errors.LookupError("token not found")
    if found.user != context.user.name:
        context.require(Privilege.GRANT | Privilege.CHANGE)
    context.state.delete_token(hash_)


@_function
def del_expired(run: Run) -> None:
    state, now = _require_grant(run).state, time.time()
    for hash_ in [hash_ for hash_, token in state.tokens.items() if token.expires and token.expires <= now]:
        state.delete_token(hash_)


def _token(token: Token) -> dict[str, Any]:
    """Describe a token. The token itself is not stored, so it cannot be shown again."""
    over = token.expires is not None and token.expires <= time.time()
    status = "expired" if over else "never expires"
    if token.expires is not None and not over:
        status = f"expires at {token.expires:.0f}"
    return {"description": token.description, "created_on": token.created, "status": status}


# -- privileges


@_function
def grant(run: Run, scope: str, name: str, mask: int) -> None:
    _change_mask(run, scope, name, mask, lambda had, given: had | given)


@_function
def revoke(run: Run, scope: str, name: str, mask: int) -> None:
    _change_mask(run, scope, name, mask, lambda had, taken: had & ~taken)


def _change_mask(run: Run, scope: str, name: str, mask: int, combine: Any) -> None:
    context = context_of(run)
    resolved = resolve_scope(parse_scope(scope), context.state, context.node.id)
    context.user.require(resolved.key, Privilege.GRANT, resolved.name)
    user = context.state.user(name)
    if user.owner:
        raise things_errors.OperationError(f"`{name}` is the account itself, which may do everything")
    asked = privileges(mask)
    if not context.user.owner and not context.user.may(resolved.key, asked):
        raise things_errors.ForbiddenError("nobody can grant or revoke what they may not do themselves")
    user.access[resolved.key] = combine(user.access.get(resolved.key, Privilege(0)), asked)
    context.state.put_user(user)


def _require_change(run: Run) -> RequestContext:
    context = context_of(run)
    context.require(Privilege.CHANGE)
    return context


def _require_grant(run: Run) -> RequestContext:
    context = context_of(run)
    context.require(Privilege.CHANGE | Privilege.GRANT)
    return context

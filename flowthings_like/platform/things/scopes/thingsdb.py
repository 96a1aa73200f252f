"""The functions of the @thingsdb scope: collections, users, tokens and privileges."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from ....wire.things import errors as things_errors
from ....wire.things.scopes import parse_scope
from .. import authentication
from ..database.state import Token
from ..language.values.moments import zone_names
from ..language.values.plain import result_depth
from ..resolved_scope import ResolvedScope, resolve_scope
from ..users import Privilege, User, privileges, words
from .functions import Functions, context_of, declare_in

if TYPE_CHECKING:
    from ..database.state import Held
    from ..language import Run
    from ..language.runtime.builtin import Moment, Nil
    from ..language.values.types import Value
    from ..request_context import Turn

__all__ = ["FUNCTIONS"]

FUNCTIONS: Functions = {}
_function = declare_in(FUNCTIONS)


# -- collections


@_function
def collections_info(run: Run) -> list[Any]:
    turn = context_of(run)
    return [_collection(held) for held in turn.state.collections.values() if _sees(turn, held)]


@_function
def collection_info(run: Run, name: str) -> dict[str, Any]:
    return _collection(context_of(run).state.collection(name))


@_function
def has_collection(run: Run, name: str) -> bool:
    return name in context_of(run).state.collections


@_function
def new_collection(run: Run, name: str) -> str:
    turn = _changing(run)
    held = turn.state.new_collection(name)
    if not turn.user.owner:
        turn.user.access[held.number] = Privilege.FULL
        turn.state.put_user(turn.user)
    return name


@_function
def del_collection(run: Run, name: str) -> None:
    turn = _changing(run)
    held = turn.state.collection(name)
    turn.forget(held)
    turn.state.delete_collection(held)


@_function
def rename_collection(run: Run, name: str, new_name: str) -> None:
    turn = _changing(run)
    turn.state.rename_collection(turn.state.collection(name), new_name)


@_function
def set_time_zone(run: Run, scope: str, zone: str) -> None:
    """The time zone of a datetime that names none, in a collection or in @thingsdb."""
    turn, spot = _changing_in(run, scope)
    if zone not in zone_names():
        raise things_errors.ValueError("unknown time zone")
    if spot.held is None:
        raise things_errors.LookupError("the @node scope of this node has no time zone but UTC")
    turn.state.set_zone(spot.held, zone)


@_function
def set_default_deep(run: Run, scope: str, deep: Value) -> None:
    """How many levels of things the results of a scope show, unless the code says otherwise."""
    turn, spot = _changing_in(run, scope)
    depth = result_depth(deep)
    if spot.held is None:
        turn.state.set_deep(turn.state.own, node_deep=depth)
    else:
        turn.state.set_deep(spot.held, deep=depth)


@_function
def time_zones_info(run: Run) -> list[str]:
    return sorted(zone_names())


def _changing_in(run: Run, name: str) -> tuple[Turn, ResolvedScope]:
    """The scope of this name, or of the collection of this name, for one who may change it."""
    turn = context_of(run)
    try:
        spot = resolve_scope(parse_scope(name), turn.state, turn.node.id)
    except things_errors.ValueError:
        held = turn.state.collection(name)
        spot = ResolvedScope(held.number, held, held.scope)
    turn.user.require(spot.place, Privilege.CHANGE, spot.name)
    return turn, spot


def _collection(held: Held) -> dict[str, Any]:
    content = held.content
    return {
        "collection_id": held.number,
        "name": content.name,
        "things": len(content.things),
        "created_at": held.created,
        "next_free_id": content.next_id,
        "time_zone": held.zone,
        "default_deep": held.deep,
    }


def _sees(turn: Turn, held: Held) -> bool:
    return turn.user.owner or bool(turn.user.access.get(held.number))


# -- users


@_function
def users_info(run: Run) -> list[Any]:
    turn = context_of(run)
    turn.require(Privilege.GRANT)
    return [_user(turn, user) for user in turn.state.users.values()]


@_function
def user_info(run: Run, name: str | Nil = None) -> dict[str, Any]:
    turn = context_of(run)
    if name is None or name == turn.user.name:
        return _user(turn, turn.user)
    turn.require(Privilege.GRANT)
    return _user(turn, turn.state.user(name))


@_function
def has_user(run: Run, name: str) -> bool:
    turn = context_of(run)
    turn.require(Privilege.GRANT)
    return name in turn.state.users


@_function
def new_user(run: Run, name: str) -> str:
    turn = _granting(run)
    _check_name(turn, name)
    turn.state.put_user(User(name, created=int(time.time())))
    return name


@_function
def del_user(run: Run, name: str) -> None:
    turn = _granting(run)
    user = turn.state.user(name)
    if user.owner or user is turn.user:
        raise things_errors.OperationError("neither the account itself nor oneself can be deleted")
    turn.state.delete_user(user)


@_function
def rename_user(run: Run, name: str, new_name: str) -> None:
    """Connections that came in under the old name have to come in anew."""
    turn = _granting(run)
    user = turn.state.user(name)
    if user.owner:
        raise things_errors.OperationError(f"`{name}` is the account itself, whose name stays")
    _check_name(turn, new_name)
    turn.state.rename_user(user, new_name)


@_function
def set_password(run: Run, name: str, password: str | Nil) -> None:
    turn = context_of(run)
    user = turn.state.user(name)
    if user is not turn.user:
        turn.require(Privilege.GRANT | Privilege.CHANGE)
    if user.owner:
        raise things_errors.OperationError(
            "an account's password is its platform token: `flowthings-like serve --new-token` makes a new one"
        )
    if password is not None and not 0 < len(password) <= authentication.LONGEST:
        raise things_errors.ValueError(f"a password has 1 to {authentication.LONGEST} characters")
    user.password = None if password is None else authentication.hash_password(password)
    turn.state.put_user(user)


def _check_name(turn: Turn, name: str) -> None:
    if not 0 < len(name) <= authentication.LONGEST or not name.isprintable():
        raise things_errors.ValueError(f"a user's name is 1 to {authentication.LONGEST} printable characters")
    if name in turn.state.users or not turn.node.reserve(name, turn.state.account):
        raise things_errors.LookupError(f"user `{name}` already exists")


def _user(turn: Turn, user: User) -> dict[str, Any]:
    names = {held.number: held.scope for held in turn.state.collections.values()}
    everywhere = dict.fromkeys(("@node", "@thingsdb", *names.values()), Privilege.FULL)
    own = {names.get(cast("int", place), str(place)): mask for place, mask in user.access.items()}
    granted = everywhere if user.owner else own
    access = [{"scope": scope, "privileges": words(mask)} for scope, mask in granted.items() if mask]
    tokens = [_token(token) for token in turn.state.tokens.values() if token.user == user.name]
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
    turn = context_of(run)
    user = turn.state.user(name)
    if user is not turn.user:
        turn.require(Privilege.GRANT | Privilege.CHANGE)
    until = None if expires is None else expires.timestamp()
    if until is not None and until <= time.time():
        raise things_errors.ValueError("a token cannot expire in the past")
    token = authentication.new_token()
    turn.state.put_token(authentication.hash_token(token), Token(name, until, int(time.time()), description))
    return token


@_function
def has_token(run: Run, token: str) -> bool:
    turn = context_of(run)
    turn.require(Privilege.GRANT)
    return authentication.hash_token(token) in turn.state.tokens


@_function
def del_token(run: Run, token: str) -> None:
    turn = context_of(run)
    hash_ = authentication.hash_token(token)
    found = turn.state.tokens.get(hash_)
    if found is None:
        raise things_errors.LookupError("token not found")
    if found.user != turn.user.name:
        turn.require(Privilege.GRANT | Privilege.CHANGE)
    turn.state.delete_token(hash_)


@_function
def del_expired(run: Run) -> None:
    state, now = _granting(run).state, time.time()
    for hash_ in [hash_ for hash_, token in state.tokens.items() if token.expires and token.expires <= now]:
        state.delete_token(hash_)


def _token(token: Token) -> dict[str, Any]:
    """The token itself is not kept, so it cannot be shown again."""
    over = token.expires is not None and token.expires <= time.time()
    status = "expired" if over else "never expires"
    if token.expires is not None and not over:
        status = f"expires at {token.expires:.0f}"
    return {"description": token.description, "created_on": token.created, "status": status}


# -- privileges


@_function
def grant(run: Run, scope: str, name: str, mask: int) -> None:
    _alter(run, scope, name, mask, lambda had, given: had | given)


@_function
def revoke(run: Run, scope: str, name: str, mask: int) -> None:
    _alter(run, scope, name, mask, lambda had, taken: had & ~taken)


def _alter(run: Run, scope: str, name: str, mask: int, combine: Any) -> None:
    turn = context_of(run)
    spot = resolve_scope(parse_scope(scope), turn.state, turn.node.id)
    turn.user.require(spot.place, Privilege.GRANT, spot.name)
    user = turn.state.user(name)
    if user.owner:
        raise things_errors.OperationError(f"`{name}` is the account itself, which may do everything")
    asked = privileges(mask)
    if not turn.user.owner and not turn.user.may(spot.place, asked):
        raise things_errors.ForbiddenError("nobody can grant or revoke what they may not do themselves")
    user.access[spot.place] = combine(user.access.get(spot.place, Privilege(0)), asked)
    turn.state.put_user(user)


def _changing(run: Run) -> Turn:
    turn = context_of(run)
    turn.require(Privilege.CHANGE)
    return turn


def _granting(run: Run) -> Turn:
    turn = context_of(run)
    turn.require(Privilege.CHANGE | Privilege.GRANT)
    return turn

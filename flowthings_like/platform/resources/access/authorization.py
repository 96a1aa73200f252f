"""Authorization: whether a caller may use a flow, and how a request for another account's is refused.

What lies in another account is reported as missing, however it was named, so that nobody learns of it. If it
is shared with the caller, the message says so, and how to ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol, TypeVar

from ...problems import Forbidden, NotFound
from . import account_paths, share_grants

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .rights import Caller


class _HasPath(Protocol):
    @property
    def path(self) -> str: ...


F = TypeVar("F", bound=_HasPath)


def authorize(
    connection: Connection,
    caller: Caller,
    ref: str,
    permission: str,
    find: Callable[[Connection, str], F],
) -> F:
    """The flow that `ref`, an id or a path, names, if the caller has the right to it.

    Args:
        permission: what the caller must have the right to.
        find: looks the flow up.

    Raises:
        BadRequest: `ref` is neither an id nor a path.
        Forbidden: the caller has no right to it, or must ask in another account.
        NotFound: there is none in the account that is asked.
    """
    if ref.startswith("/") and account_paths.is_inside(caller.account, ref):
        caller.require(ref, permission, f"flow {ref}")  # first: the answer must not tell whether it is there
    found = find(connection, ref)
    if not account_paths.is_inside(caller.account, found.path):
        refuse_elsewhere(connection, caller, [found.path], f"flow {ref}")
    caller.require(found.path, permission, f"flow {ref}")
    return found


def refuse_elsewhere(connection: Connection, caller: Caller, paths: Collection[str], what: str) -> None:
    """Raise for something that lies at `paths` in another account.

    Args:
        what: as the caller named it.

    Raises:
        Forbidden: it is shared with the caller; the message says how to ask for it.
        NotFound: it is not.
    """
    account = next(iter(paths), "/").split("/")[1]
    # Shares belong to identities, and only a master token acts as an identity in other accounts.
    if account and caller.rights is None:
        held = share_grants.grants_of(connection, account, caller.identity).grants
        if all(any(account_paths.covers(prefix, path) for prefix, _ in held) for path in paths):
            raise Forbidden(
                f"{what} is in the account {account}, which shares it with you: "
                f"ask there with your own token, as Token({account!r}, …)"
            )
    raise NotFound(f"there is no {what}")

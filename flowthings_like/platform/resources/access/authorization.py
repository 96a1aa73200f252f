"""Who gets to a flow, and what the others are told.

What lies in another account is not there for whoever asks, however it was named, so that nobody learns of it.
One that is shared with the caller is said to be, with how to ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from ...problems import Forbidden, NotFound
from . import account_paths, share_grants

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..drops.flow_cache import Flow
    from .rights import Caller


def admit(
    connection: Connection,
    caller: Caller,
    ref: str,
    permission: str,
    find: Callable[[Connection, str], Flow],
) -> Flow:
    """The flow that `ref`, an id or a path, names.

    Args:
        permission: what the caller must have the right to.
        find: looks the flow up.

    Raises:
        BadRequest: `ref` is neither an id nor a path.
        Forbidden: the caller has no right to it, or must ask in another account.
        NotFound: there is none in the account that is asked.
    """
    found = find(connection, ref)
    if not account_paths.covers(f"/{caller.account}", found.path):
        refuse_elsewhere(connection, caller, [found.path], f"flow {ref}")
    caller.require(found.path, permission, f"flow {ref}")
    return found


def refuse_elsewhere(connection: Connection, caller: Caller, places: Collection[str], what: str) -> None:
    """Raise for something that lies at `places` in another account.

    Args:
        what: as the caller named it.

    Raises:
        Forbidden: it is shared with the caller, who is told how to ask.
        NotFound: it is not.
    """
    account = next(iter(places), "/").split("/")[1]
    # Shares are held by identities: only a master token acts as one elsewhere.
    if account and caller.rights is None:
        held = share_grants.held(connection, account, caller.identity).grants
        if all(any(account_paths.covers(prefix, place) for prefix, _ in held) for place in places):
            raise Forbidden(
                f"{what} is in the account {account}, which shares it with you: "
                f"ask there with your own token, as Token({account!r}, …)"
            )
    raise NotFound(f"there is no {what}")

"""Refuses a request on its URL and the caller's rights alone, before its body is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..problems import Forbidden, NotFound
from ..resources.access import account_paths
from ..resources.base import registry

if TYPE_CHECKING:
    from ..resources.access.rights import Caller
    from .request import Target


def refuse_early(method: str, target: Target, caller: Caller) -> None:
    """Raise Forbidden or NotFound if URL and rights alone show that the caller may not do this.

    A caller must not make the platform read a body that it may not send.
    """
    if caller.rights is None or method not in ("POST", "PUT", "MPUT", "MGET"):
        return
    of_drops, rest = target.resource == "drop", target.rest
    if not of_drops and (method == "MGET" or _is_action(target)):
        return
    needed = (
        ("dropRead" if method == "MGET" or rest[1:] == ("aggregate",) else "dropWrite")
        if of_drops
        else "write"
    )
    if not caller.prefixes(needed):
        raise Forbidden(f"no {needed} right anywhere in /{caller.account}")
    if of_drops and rest and rest[0].startswith("/"):
        if not account_paths.is_inside(caller.account, rest[0]):
            raise NotFound(f"there is no flow {rest[0]}")
        caller.require(rest[0], needed, f"flow {rest[0]}")


def _is_action(target: Target) -> bool:
    resource = registry.resources().get(target.resource)
    return resource is not None and len(target.rest) == 1 and target.rest[0] in resource.actions

"""What users may do: a mask of privileges for each scope.

The user who has an account's own name owns its database and may do everything there. Others are made with
`new_user` and may do what they were granted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any

from ...wire.things import errors as things_errors
from ...wire.things.packages import pack, unpack

__all__ = ["NODE", "THINGSDB", "Privilege", "ScopeKey", "User", "privileges", "words"]

ScopeKey = int | str
"""Where a privilege holds: THINGSDB, NODE, or a collection's number, which stays when its name changes."""

THINGSDB = "@thingsdb"
NODE = "@node"


class Privilege(IntFlag):
    """ThingsDB's bits. USER and FULL are names for several."""

    QUERY = 1
    CHANGE = 2
    GRANT = 4
    JOIN = 8
    RUN = 16
    USER = 27
    FULL = 31


def privileges(mask: object) -> Privilege:
    """The mask as privileges.

    Raises:
        things_errors.TypeError, things_errors.ValueError: saying which masks there are.
    """
    if not isinstance(mask, int) or isinstance(mask, bool):
        raise things_errors.TypeError(f"a mask is an int, not {type(mask).__name__}")
    if not 0 <= mask <= Privilege.FULL:
        raise things_errors.ValueError(
            f"a mask is a sum of QUERY (1), CHANGE (2), GRANT (4), JOIN (8) and RUN (16), not {mask}"
        )
    return Privilege(mask)


def words(mask: Privilege) -> str:
    """A mask as people read it: FULL, USER, or its bits' names."""
    if mask in (Privilege.FULL, Privilege.USER):
        return "FULL" if mask == Privilege.FULL else "USER"
    single = Privilege.QUERY, Privilege.CHANGE, Privilege.GRANT, Privilege.JOIN, Privilege.RUN
    return "|".join(str(one.name) for one in single if mask & one)


@dataclass
class User:
    """Somebody who may come in.

    Attributes:
        name: the name to log in with.
        owner: whether this is the account itself.
        created: seconds since the epoch.
        password: the hash of it, None if there is none (only tokens, then) or if the platform keeps it.
        access: the privileges granted; an owner needs none.
    """

    name: str
    owner: bool = False
    created: int = 0
    password: bytes | None = None
    access: dict[ScopeKey, Privilege] = field(default_factory=dict)

    def may(self, place: ScopeKey, wanted: Privilege) -> bool:
        """Whether the user has all of `wanted` there."""
        return self.owner or self.access.get(place, Privilege(0)) & wanted == wanted

    def require(self, place: ScopeKey, wanted: Privilege, scope: str) -> None:
        """Raise ForbiddenError unless the user has all of `wanted` there."""
        if not self.may(place, wanted):
            raise things_errors.ForbiddenError(
                f"user `{self.name}` is missing the required privileges (`{words(wanted)}`) "
                f"on scope `{scope}`"
            )

    def dump(self) -> bytes:
        """The user's body as it is stored."""
        access = [(place, int(mask)) for place, mask in self.access.items()]
        return pack({"created": self.created, "password": self.password, "access": access})

    @classmethod
    def load(cls, name: str, body: bytes) -> User:
        """The user of a stored body."""
        stored: dict[str, Any] = unpack(body)
        access = {place: Privilege(mask) for place, mask in stored["access"]}
        return cls(name, created=stored["created"], password=stored["password"], access=access)

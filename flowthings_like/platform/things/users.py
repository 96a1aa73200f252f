"""Users and their privileges: a mask for each scope.

The user whose name is the account's name owns the database and may do everything in it. Other users are made
with `new_user` and may do what they were granted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...wire.things import errors as things_errors
from ...wire.things.privileges import Privilege
from ...wire.things.values import pack, unpack

__all__ = ["NODE", "THINGSDB", "ScopeKey", "User", "describe_privileges", "privileges"]

ScopeKey = int | str
"""What a privilege is granted for: THINGSDB, NODE, or the number of a collection.

The number stays the same when the collection is renamed.
"""

THINGSDB = "@thingsdb"
NODE = "@node"


def privileges(mask: object) -> Privilege:
    """Convert a mask that a query gave.

    Raises:
        things_errors.TypeError, things_errors.ValueError: it is no mask. The message lists the bits.
    """
    if not isinstance(mask, int) or isinstance(mask, bool):
        raise things_errors.TypeError(f"a mask is an int, not {type(mask).__name__}")
    if not 0 <= mask <= Privilege.FULL:
        raise things_errors.ValueError(
            f"a mask is a sum of QUERY (1), CHANGE (2), GRANT (4), JOIN (8) and RUN (16), not {mask}"
        )
    return Privilege(mask)


def describe_privileges(mask: Privilege) -> str:
    """Return the mask as people read it: FULL, USER, or the names of its bits."""
    if mask in (Privilege.FULL, Privilege.USER):
        return "FULL" if mask == Privilege.FULL else "USER"
    single = Privilege.QUERY, Privilege.CHANGE, Privilege.GRANT, Privilege.JOIN, Privilege.RUN
    return "|".join(str(one.name) for one in single if mask & one)


@dataclass
class User:
    """A user who can log in.

    Attributes:
        name: the name to log in with.
        owner: whether this is the account itself.
        created: seconds since the epoch.
        password: the hash of the password. None for the owner, whose password the platform keeps, and for a
            user who logs in with tokens only.
        access: the privileges granted, by scope; an owner needs none.
    """

    name: str
    owner: bool = False
    created: int = 0
    password: bytes | None = None
    access: dict[ScopeKey, Privilege] = field(default_factory=dict)

    def may(self, scope: ScopeKey, wanted: Privilege) -> bool:
        """Whether the user has all of the wanted privileges in the scope."""
        return self.owner or self.access.get(scope, Privilege(0)) & wanted == wanted

    def require(self, scope: ScopeKey, wanted: Privilege, name: str) -> None:
        """Raise ForbiddenError unless the user has all of the wanted privileges in the scope.

        `name` is the scope's name, for the message.
        """
        if not self.may(scope, wanted):
            raise things_errors.ForbiddenError(
                f"user `{self.name}` is missing the required privileges (`{describe_privileges(wanted)}`) "
                f"on scope `{name}`"
            )

    def dump(self) -> bytes:
        """Return the user's body as it is stored."""
        access = [(scope, int(mask)) for scope, mask in self.access.items()]
        return pack({"created": self.created, "password": self.password, "access": access})

    @classmethod
    def load(cls, name: str, body: bytes) -> User:
        """Return the user that a stored body describes."""
        stored: dict[str, Any] = unpack(body)
        access = {scope: Privilege(mask) for scope, mask in stored["access"]}
        return cls(name, created=stored["created"], password=stored["password"], access=access)

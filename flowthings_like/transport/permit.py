"""A lock that is never waited for, and that an interrupt cannot leave held by nobody."""

from __future__ import annotations

__all__ = ["Permit"]


class Permit:
    """The right to do something that one thread at a time may do.

    A thread takes it for a token, an object of its own. If an interrupt comes when the permit has just been
    taken, `is_held_by(token)` tells so afterwards. A lock could not.
    """

    __slots__ = ("_holder",)

    def __init__(self) -> None:
        self._holder: dict[str, object] = {}

    def take(self, token: object) -> bool:
        """Take it, unless it is taken. Returns whether it was taken for this token."""
        return self._holder.setdefault("token", token) is token  # a single step, which no signal interrupts

    def is_held_by(self, token: object) -> bool:
        """Whether it is taken for this token."""
        return self._holder.get("token") is token

    @property
    def is_taken(self) -> bool:
        """Whether it is taken."""
        return bool(self._holder)

    def give_back(self) -> None:
        """Give it back. Only its holder may do so."""
        del self._holder["token"]

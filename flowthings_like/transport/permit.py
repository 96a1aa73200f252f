"""A permit that one thread at a time has, and that nobody waits for."""

from __future__ import annotations

__all__ = ["Permit"]


class Permit:
    """Taken by whoever comes first, until it is given back.

    Each who tries to take it has a token, an object of his own. An interrupt may come between taking the
    permit and the caller's noticing it: `is_held_by` tells afterwards. No lock could.
    """

    __slots__ = ("_holder",)

    def __init__(self) -> None:
        self._holder: dict[str, object] = {}

    def take(self, token: object) -> bool:
        """Take it for `token`, if nobody has it. Returns whether `token` has it now."""
        return self._holder.setdefault("token", token) is token  # a single step: no signal comes in between

    def is_held_by(self, token: object) -> bool:
        """Whether it was taken for `token`."""
        return self._holder.get("token") is token

    @property
    def is_taken(self) -> bool:
        """Whether anybody has it."""
        return bool(self._holder)

    def give_back(self) -> None:
        """Let others have it. Only who has it may do so."""
        del self._holder["token"]

"""Closes, in a forked child, the sockets and locks that it inherited from its parent.

Otherwise the child would keep them open after the parent has ended.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Protocol

from ...green.backends.children import call_in_children

__all__ = ["abandon_in_children", "abandon_socket"]


class Inherited(Protocol):
    """An object with sockets or locks that a child inherits."""

    def abandon(self) -> None:
        """In the child: close what was inherited, without any effect on the parent."""


def abandon_in_children(owner: Inherited) -> None:
    """Have `owner.abandon()` called in each child that this process forks, for as long as `owner` lives."""
    call_in_children(owner.abandon)


def abandon_socket(sock: socket.socket) -> None:
    """In a forked child: close an inherited socket without the hub, which may be inherited as well."""
    with suppress(OSError):
        socket.close(sock.detach())

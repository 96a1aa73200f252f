"""Live messages of one platform: opens sessions, whatever they are connected by."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ...wire.live import GOING_AWAY
from ..problems import Problem, Unavailable
from . import session_ids
from .channel import Channel
from .feed import Feed
from .session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..resources.access.accounts import Accounts
    from ..resources.drops.resource_store import ResourceStore

__all__ = ["Live"]


class Live:
    """The sessions of one platform in this process, and in each child that it forks.

    Args:
        store: the platform's data.
        accounts: authenticates callers.
        call: answers a request like one over HTTP; see `Application.call`.
    """

    def __init__(self, store: ResourceStore, accounts: Accounts, call: Callable[..., Any]) -> None:
        self.store = store
        self.accounts = accounts
        self.call = call
        self._feeds: dict[int, Feed] = {}
        self._sessions: WeakSet[Session] = WeakSet()
        self._closed = False

    @property
    def feed(self) -> Feed:
        """The feed of this process. Raises Unavailable if the platform is closed."""
        if self._closed:
            raise Unavailable("the platform is closed")
        pid = os.getpid()
        # setdefault is atomic: two threads that ask at the same time get the same feed.
        return self._feeds.get(pid) or self._feeds.setdefault(pid, Feed(self.store))

    def new_session_id(self, token: str | None, account: str | None) -> str:
        """An id with which a session may be opened. Raises Unauthorized, Forbidden."""
        return session_ids.issue(self.accounts, token, account)

    def open(self, session_id: str) -> Session:
        """A session. Raises Forbidden if the id does not allow it."""
        session = Session(self, session_ids.check(self.accounts, session_id))
        self._sessions.add(session)
        return session

    def channel(self, session_id: str) -> Channel:
        """A session for a client in this process. Raises ConnectionRefusedError if the id is not valid."""
        try:
            return Channel(self.open(session_id))
        except Problem as problem:
            raise ConnectionRefusedError(problem.message) from None

    def close(self) -> None:
        """End all sessions and the feed, and refuse new sessions. More calls do nothing."""
        self._closed = True
        for session in list(self._sessions):
            session.end(GOING_AWAY, "the platform is closed")
        feed = self._feeds.pop(os.getpid(), None)
        if feed is not None:
            feed.close()

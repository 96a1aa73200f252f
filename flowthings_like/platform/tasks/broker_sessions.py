"""The sessions of all MQTT tasks: one for each task that is there and not disabled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...green.backends import choice as backend
from ..resources.broker_tasks import broker_tasks

if TYPE_CHECKING:
    import ssl

    from ..resources.broker_tasks import BrokerTask
    from ..resources.drops.resource_store import ResourceStore
    from .addresses import AddressRules
    from .broker_session import BrokerSession

__all__ = ["MOST_OF_ACCOUNT", "MOST_SESSIONS", "BrokerSessions"]

MOST_SESSIONS = 200
"""Most connections to brokers at once."""

MOST_OF_ACCOUNT = 20
"""Most of one account."""

LOOK_INTERVAL = 1.0
"""Seconds between two looks at what the tasks are."""


class BrokerSessions:
    """Starts and stops sessions as tasks are created, changed, disabled and deleted. One thread uses it.

    Args:
        store: where the tasks are.
        rules: which addresses they may connect to.
        tls: makes the TLS settings for ssl:// addresses.
    """

    def __init__(self, store: ResourceStore, rules: AddressRules, tls: Callable[[], ssl.SSLContext]) -> None:
        self._store = store
        self._rules = rules
        self._tls = tls
        self._sessions: dict[str, BrokerSession] = {}
        self._look_at = 0.0

    def look(self) -> None:
        """Look at what the tasks are, unless that was done a moment ago."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_INTERVAL
        tasks = self._store.read(lambda connection: broker_tasks(connection, MOST_SESSIONS, MOST_OF_ACCOUNT))
        wanted = {task.id: task for task in tasks}
        for id_, session in list(self._sessions.items()):
            if id_ not in wanted or not session.task.does_the_same(wanted[id_]):
                session.stop()
            if session.ended.is_set():
                del self._sessions[id_]
        for id_, task in wanted.items():
            if id_ not in self._sessions:  # a session that is to end ends before the next one begins
                self._start(id_, task)

    def close(self, wait: float) -> None:
        """Stop all sessions and wait at most so many seconds for them to end."""
        deadline = time.monotonic() + wait
        for session in self._sessions.values():
            session.stop()
        for session in self._sessions.values():
            session.ended.wait(max(0.0, deadline - time.monotonic()))
        self._sessions.clear()

    def _start(self, id_: str, task: BrokerTask) -> None:
        # Imported here: it needs a package that most platforms never use.
        from .broker_session import BrokerSession

        session = BrokerSession(self._store, self._rules, self._tls, task)
        self._sessions[id_] = session
        try:
            backend.detect().spawn(session.run)
        except BaseException:
            del self._sessions[id_]
            raise

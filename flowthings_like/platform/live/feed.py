"""The feed: gets the drops that any process of the platform creates to the subscriptions of this one.

Drops that this process creates are announced by its writer, and pushed without a look at the database. Their
numbers show whether another process has created some in between: these are read. Whether others have created
any at the end is looked up when the bus says so.

One thread does all of it while there are subscriptions. If it was killed, a session that waits starts another
one: nothing is lost, because a flow's position only advances when its drops were pushed.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from functools import partial
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING

from ...green.backends import choice as backend
from ..ids import created_of, now_ms
from ..problems import NotFound, Problem
from ..resources.access.accounts import RIGHTS
from . import arrivals
from .subscription import Item, State

if TYPE_CHECKING:
    from ..resources.drops.announcements import Announcement
    from ..resources.drops.flow_cache import Flow
    from ..resources.drops.resource_store import ResourceStore
    from .outgoing import Batch
    from .subscription import Listener, Subscription, Variant

__all__ = ["Feed"]

_log = logging.getLogger("flowthings_like.platform")

POLL = 0.005
"""Seconds between two looks at the news while there are subscriptions."""

CHECK_INTERVAL = 0.005
"""Seconds at least between two looks into the database."""

SERVER_INTERVAL = 0.05
"""The same where no news tell that there is nothing new: without a bus, and while it is away."""

SAFETY_INTERVAL = 1.0
"""Seconds after which the database is looked at even without news: the process that has created a drop may
have been killed before it told the others."""

STALLED = 5.0
"""Seconds without a turn after which the thread counts as dead."""

_MOST_KNOWN = 1000
"""Ids of drops with an fhash that a flow remembers before it forgets the old ones."""


class _FlowFeed:
    """One flow's subscriptions.

    Attributes:
        position: the number of the last arrival that was pushed.
        since: when that was, in ms since the epoch.
        live: the live subscriptions by their variants.
        catching_up: how many others there are.
        known: ids of drops with an fhash that were pushed lately, in their order.
    """

    __slots__ = ("catching_up", "known", "live", "position", "since")

    def __init__(self, position: int, since: int) -> None:
        self.position = position
        self.since = since
        self.live: dict[Variant, set[Subscription]] = defaultdict(set)
        self.catching_up = 0
        self.known: dict[str, None] = {}

    @property
    def is_unused(self) -> bool:
        return not self.live and not self.catching_up

    def sessions(self) -> dict[Listener, list[Subscription]]:
        found: dict[Listener, list[Subscription]] = defaultdict(list)
        for subscriptions in self.live.values():
            for subscription in subscriptions:
                found[subscription.session].append(subscription)
        return found

    def push(self, items: list[Item], last: int, now: int) -> None:
        """Push items to the live subscriptions. Their outgoing queues never wait."""
        before = self.position
        for variant, subscriptions in self.live.items():
            common: Batch | None = None
            for subscription in subscriptions:
                position = subscription.position
                if position <= before:
                    if common is None:
                        common = variant.batch(items, before, now)
                    batch = common
                else:  # it has read further than the feed
                    batch = variant.batch(items, position, now)
                subscription.position = max(position, last)
                if batch.texts:
                    subscription.session.outgoing.add(batch)
        # At the end: if this is interrupted, it is done again, and each subscription knows what it has got.
        self.position, self.since = max(before, last), now

    def remember(self, items: list[Item], now: int) -> None:
        """Remember which drops with an fhash were pushed: they may be replaced soon."""
        known = self.known
        known.update({item.document["id"]: None for item in items if "fhash" in item.document})
        if len(known) > _MOST_KNOWN:
            oldest = now - 2 * arrivals.REPLACED_WITHIN
            self.known = {name: None for name in known if created_of(name) >= oldest}


class Feed:
    """The subscriptions of one process to one store.

    Args:
        store: the platform's data.
    """

    def __init__(self, store: ResourceStore) -> None:
        here = backend.detect()
        self._store = store
        self._announcements = store.announcements
        self._rights = store.bus.version(RIGHTS)
        self._lock = here.lock()
        self._flows: dict[str, _FlowFeed] = {}
        self._wakeup = here.event()
        self._thread: object | None = None  # identifies the thread that ought to be running
        self._turned = 0.0  # the time of its last turn
        self._checked = 0.0
        self._version = b""
        self._is_behind = True  # whether the database has to be looked at
        self._closed = False
        self._pid = os.getpid()

    def add(self, subscription: Subscription, last: int) -> None:
        """Begin a subscription that has just been looked up.

        Args:
            last: the number of the flow's last arrival at that moment.
        """
        with self._lock:
            feed = self._flows.get(subscription.flow_id)
            if feed is None:
                feed = self._flows[subscription.flow_id] = _FlowFeed(last, now_ms())
            feed.catching_up += 1
            self._join(feed, subscription)
            self._is_behind = True  # something may have arrived since, without being announced
        self._announcements.listener = self._wakeup.set
        self._ensure_thread()
        self._wakeup.set()

    def remove(self, subscription: Subscription) -> None:
        """End a subscription. More calls do nothing."""
        with self._lock:
            self._remove(subscription)

    def catch_up(self, subscription: Subscription) -> Batch | None:
        """Read a page for a subscription that catches up, which is live afterwards if that was the last.

        Returns:
            The pushes; None if it does not catch up any more.

        Raises:
            Problem: the flow was deleted, its reader has lost the right to it, or it could not be read.
        """
        if subscription.state is not State.CATCHING_UP:
            return None
        position, since = subscription.position, subscription.since
        page = self._store.read(
            lambda connection: arrivals.read(connection, subscription.flow_id, position, since)
        )
        subscription.session.caller().require(page.flow.path, "dropRead")
        batch = subscription.variant.batch(page.items, position, now_ms())
        with self._lock:
            subscription.position = page.position
            feed = self._flows.get(subscription.flow_id)
            if page.is_last and feed is not None and subscription.state is State.CATCHING_UP:
                self._join(feed, subscription)
        return batch

    def look_after(self) -> None:
        """Start the thread again if it was killed. Called by sessions that wait."""
        if self._flows and monotonic() - self._turned > STALLED:
            self._thread = None
            self._ensure_thread()

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._announcements.listener = None
        self._wakeup.set()

    def _join(self, feed: _FlowFeed, subscription: Subscription) -> None:
        """Make a subscription live if it has got as far as the feed. The lock must be held."""
        if subscription.position >= feed.position:
            subscription.enter(State.LIVE)
            feed.catching_up -= 1
            feed.live[subscription.variant].add(subscription)

    def _remove(self, subscription: Subscription) -> None:
        state, feed = subscription.state, self._flows.get(subscription.flow_id)
        subscription.enter(State.ENDED)
        if feed is None or state is State.ENDED:
            return
        if state is State.CATCHING_UP:
            feed.catching_up -= 1
        else:
            same = feed.live[subscription.variant]
            same.discard(subscription)
            if not same:
                del feed.live[subscription.variant]
        if feed.is_unused:
            del self._flows[subscription.flow_id]

    # The thread

    def _ensure_thread(self) -> None:
        if self._thread is None and not self._closed:
            mark = self._thread = object()
            self._turned = monotonic()
            try:
                backend.detect().spawn(self._run, mark)
            except BaseException:
                self._thread = None
                raise

    def _run(self, mark: object) -> None:
        try:
            while self._goes_on(mark):
                self._wakeup.wait(POLL)
                self._wakeup.clear()
                self._turned = monotonic()
                try:
                    self._turn()
                except Problem as problem:
                    self._is_behind = True
                    _log.warning("live messages are late: %s", problem.message)
        finally:
            if self._thread is mark:
                self._thread = None

    def _goes_on(self, mark: object) -> bool:
        if self._pid != os.getpid():
            return False  # a copy of the thread that a fork has made
        with self._lock:
            if self._thread is not mark:
                return False
            if self._flows and not self._closed:
                return True
            self._thread = self._announcements.listener = None
            self._announcements.take()
            return False

    def _turn(self) -> None:
        news = self._announcements.news
        version = news.read()  # read first: a later change is seen in the next turn
        for announcement in self._announcements.take():
            self._announced(announcement)
        now = monotonic()
        if now - self._checked < (CHECK_INTERVAL if news.is_exact else SERVER_INTERVAL):
            return
        if version != self._version or self._is_behind or now - self._checked > SAFETY_INTERVAL:
            self._is_behind = False
            self._checked, self._version = now, version
            self._announcements.follow(now_ms())
            self._look_up()
            self._sweep()

    def _announced(self, announcement: Announcement) -> None:
        flow, last = announcement.flow, announcement.last
        feed = self._flows.get(flow.id)
        if feed is None:
            return
        if last and announcement.before > feed.position:
            self._read(flow.id)  # another process has created drops before these
        if not last or last > feed.position:
            self._push(feed, flow, [Item.of(arrival) for arrival in announcement.arrivals], last)

    def _look_up(self) -> None:
        """Push what other processes have created."""
        positions = {name: feed.position for name, feed in self._flows.copy().items()}
        for name in self._store.read(lambda connection: arrivals.changed(connection, positions)):
            self._read(name)

    def _sweep(self) -> None:
        """Close the sessions that were abandoned."""
        with self._lock:
            sessions = self._sessions()
        for session in sessions:
            if session.outgoing.ending is not None:
                session.close()

    def _sessions(self) -> set[Listener]:
        return set(chain.from_iterable(feed.sessions() for feed in self._flows.values()))

    def _read(self, flow_id: str) -> None:
        feed = self._flows.get(flow_id)
        is_last = False
        while feed is not None and not is_last:
            after = partial(
                arrivals.read, flow_id=flow_id, position=feed.position, since=feed.since, known=feed.known
            )
            try:
                page = self._store.read(after)
            except NotFound:  # the flow was deleted
                return
            self._push(feed, page.flow, page.items, page.position)
            is_last = page.is_last

    def _push(self, feed: _FlowFeed, flow: Flow, items: list[Item], last: int) -> None:
        now = now_ms()
        if items:
            self._refuse(feed, flow)
        with self._lock:
            feed.push(items, last, now)
        feed.remember(items, now)

    def _refuse(self, feed: _FlowFeed, flow: Flow) -> None:
        """End the subscriptions of those that may not read the flow any more."""
        with self._lock:
            sessions = feed.sessions()
        version = self._rights.read()  # once for all sessions: over a network it takes a while
        for session, subscriptions in sessions.items():
            if session.outgoing.ending is not None:
                session.close()
                continue
            try:
                session.caller(version).require(flow.path, "dropRead")
            except Problem as problem:
                for subscription in subscriptions:
                    session.refuse(subscription, problem.message)

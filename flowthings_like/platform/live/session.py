"""A session: handles the requests of one client, and gives out what there is to send to it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import InvalidInput
from ...wire.live import POLICY, Cursor, Since, reply
from ..ids import now_ms
from ..problems import BadRequest, Problem, TooManyRequests, Unavailable
from ..resources.drops.flow_cache import compiled
from ..resources.query.query import switch
from ..rest import body
from . import arrivals
from .outgoing import Batch, Outgoing
from .requests import flow_of, rest_call
from .subscription import State, Subscription, Variant

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..resources.access.accounts import Accounts
    from ..resources.access.rights import Caller
    from ..resources.drops.resource_store import ResourceStore
    from .feed import Feed
    from .session_ids import Credential

__all__ = ["MOST_SUBSCRIPTIONS", "Host", "Session"]

_log = logging.getLogger("flowthings_like.platform")

MOST_SUBSCRIPTIONS = 1000
"""Most subscriptions of one session."""

_DONE = "The request was processed."
_RETRY = 0.2  # seconds after which a page that the store could not read is read again
_NOW = Since.parse("now")


class Host(Protocol):
    """What sessions share.

    Attributes:
        store: the platform's data.
        accounts: authenticates callers.
        call: answers a request like one over HTTP; see `Application.call`.
        feed: of this process.
    """

    @property
    def store(self) -> ResourceStore: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def call(self) -> Callable[..., Any]: ...
    @property
    def feed(self) -> Feed: ...


class Session:
    """One client's session, whatever it is connected by.

    Requests are given to it by one thread, and what it sends is taken by one thread.

    Args:
        host: what sessions share.
        credential: what the client acts with.

    Attributes:
        outgoing: what there is to send.
    """

    def __init__(self, host: Host, credential: Credential) -> None:
        self._host = host
        self._feed = host.feed
        self._credential = credential
        self._subscriptions: dict[str, Subscription] = {}
        self.outgoing = Outgoing()

    def caller(self, version: bytes | None = None) -> Caller:
        """Whose session it is, with the rights as they are now. Raises Forbidden if there are none.

        Args:
            version: as for `Accounts.holder`.
        """
        return self._host.accounts.holder(*self._credential, version)

    def receive(self, text: bytes) -> None:
        """Handle a message of the client. The reply is among what is sent."""
        message_id = None
        try:
            message = _parsed(text)
            message_id = message.get("msgId")
            if message.get("type") != "heartbeat":
                self._handle(message, message_id)
        except Problem as problem:
            self._reply(message_id, {}, status=problem.status, errors=problem.errors)
        except InvalidInput as error:
            self._reply(message_id, {}, status=400, errors=[str(error)])
        except Exception:
            _log.exception("a live message failed")
            self._reply(message_id, {}, status=500, errors=["the platform failed, its log says why"])

    def subscribe(
        self, ref: str, since: Since | None, filter: str, typed: bool, reply_to: Any = None
    ) -> None:
        """Subscribe to a flow, in place of an earlier subscription to the same name.

        Args:
            ref: the flow's id or path. It is the `resource` of the pushes.
            since: where to begin; None for now, and pushes without a cursor.
            filter: the text that drops must match, "" for any.
            typed: whether elements are shown as {type, value}.
            reply_to: the `msgId` of the request.

        Raises:
            Problem: there is no such flow, or the caller may not read it.
            InvalidInput: the filter is none.
        """
        if ref not in self._subscriptions and len(self._subscriptions) >= MOST_SUBSCRIPTIONS:
            raise TooManyRequests(f"a session has {MOST_SUBSCRIPTIONS} subscriptions at most")
        variant = Variant(ref, typed, since is not None, filter, compiled(filter))
        self._host.store.announcements.follow(now_ms())  # before the look-up: nothing may come in between
        caller, start = self.caller(), since or _NOW
        found = self._host.store.read(lambda connection: arrivals.begin(connection, caller, ref, start))
        self._unsubscribe(ref)
        made = Subscription(self, found.flow.id, variant, found.position, found.since)
        self._subscriptions[ref] = made
        # The cursor is for a client that loses its connection before the first push.
        answer = {} if since is None else {"cursor": str(Cursor(found.position, found.since))}
        self._reply(reply_to, answer, messages=[_DONE])  # before any push
        self._feed.add(made, found.arrivals)

    def output(self, seconds: float) -> list[Batch]:
        """Wait for something to send, for so long at most. Returns it in order; it may be empty.

        Subscriptions that catch up are read for here, a page at a time, when nothing else waits.
        """
        if batches := self.outgoing.take():
            return batches
        for subscription in list(self._subscriptions.values()):
            if subscription.state is State.CATCHING_UP and (batch := self._catch_up(subscription)):
                return [batch]
        self._feed.look_after()
        self.outgoing.wait(seconds)
        return self.outgoing.take()

    def refuse(self, subscription: Subscription, reason: str) -> None:
        """End a subscription, and tell the client."""
        self._feed.remove(subscription)
        if self._subscriptions.get(subscription.variant.resource) is subscription:
            del self._subscriptions[subscription.variant.resource]
        errors = [f"the subscription to {subscription.variant.resource} has ended: {reason}"]
        self._reply(None, {}, status=403, errors=errors)

    def end(self, code: int, reason: str) -> None:
        """Accept and send nothing more, but what waits."""
        self.outgoing.end(code, reason)
        self.close()

    def close(self) -> None:
        """End all subscriptions. More calls do nothing."""
        if self.outgoing.ending is None:
            self.outgoing.end(POLICY, "the session was closed")
        while self._subscriptions:
            _, subscription = self._subscriptions.popitem()
            self._feed.remove(subscription)

    def _handle(self, message: Mapping[str, Any], message_id: Any) -> None:
        kind = message.get("type")
        if kind in ("subscribe", "unsubscribe"):
            if message.get("object", "drop") != "drop":
                raise BadRequest(f'only drops can be subscribed to: object must be "drop", to {kind}')
            if kind == "subscribe":
                self.subscribe(flow_of(message), *_options(message), message_id)
            else:
                self._unsubscribe(flow_of(message))
                self._reply(message_id, {}, messages=[_DONE])
            return
        response = self._host.call(self.caller(), *rest_call(message))
        self._reply(
            message_id,
            response.body,
            status=response.status,
            errors=response.errors,
            messages=response.messages or [_DONE],
            head=response.head,
        )

    def _unsubscribe(self, ref: str) -> None:
        subscription = self._subscriptions.pop(ref, None)
        if subscription is not None:
            self._feed.remove(subscription)

    def _catch_up(self, subscription: Subscription) -> Batch | None:
        """The next pushes of a subscription that catches up; an empty batch if there are none yet."""
        try:
            return self._feed.catch_up(subscription)
        except Unavailable:
            self.outgoing.wait(_RETRY)
        except Problem as problem:
            self.refuse(subscription, problem.message)
        return Batch([])

    def _reply(self, message_id: Any, content: Any, **members: Any) -> None:
        self.outgoing.add(Batch([reply(message_id, content, **members)]))


def _parsed(text: bytes) -> Mapping[str, Any]:
    message = body.parse(text)
    if not isinstance(message, dict):
        raise BadRequest(f"a message is a JSON object, not {text[:40].decode(errors='replace')}")
    return message


def _options(message: Mapping[str, Any]) -> tuple[Since | None, str, bool]:
    """The members `since`, `filter` and `hints` of a subscription."""
    since, filter = message.get("since"), message.get("filter") or ""
    if not isinstance(filter, str):
        raise BadRequest(f"filter must be a text such as temp > 30, not {filter!r}")
    try:
        begin = None if since is None else Since.parse(since)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    return begin, filter, switch({"hints": [str(message.get("hints"))]}, "hints") is True

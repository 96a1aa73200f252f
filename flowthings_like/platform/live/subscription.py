"""Subscriptions: what a session wants to get of a flow, and how far it has got.

    CATCHING_UP ----> LIVE
         |             |
         +--> ENDED <--+

A subscription that catches up reads arrivals from the database, a page at a time, when its session has
nothing else to send. It is live when it has got as far as the feed of its flow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from ...filters.values import TYPES
from ...wire.live import Cursor, push
from ..resources.drops import rows
from .outgoing import Batch

if TYPE_CHECKING:
    from ..resources.access.rights import Caller
    from ..resources.drops.arrival import Arrival
    from ..resources.drops.flow_cache import Test
    from .outgoing import Outgoing

__all__ = ["TRANSITIONS", "Item", "Listener", "State", "Subscription", "Variant"]


class State(Enum):
    """The states of a subscription."""

    CATCHING_UP = "it reads earlier arrivals from the database"
    LIVE = "it gets arrivals as they come"
    ENDED = "it gets nothing more"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.CATCHING_UP: frozenset((State.LIVE, State.ENDED)),
    State.LIVE: frozenset((State.ENDED,)),
    State.ENDED: frozenset(),
}
"""For each state the states that may follow it."""


class Item:
    """One drop that has arrived, encoded when first needed and then once for all subscriptions.

    Args:
        number: of its arrival; 0 in a flow of capacity 0.
        document: as readers see it, with plain elements.
        row: the columns of `rows.SELECT`.
    """

    __slots__ = ("_plain", "_row", "_typed", "document", "number")

    def __init__(self, number: int, document: dict[str, Any], row: tuple[Any, ...]) -> None:
        self.number = number
        self.document = document
        self._row = row
        self._plain: bytes | None = None
        self._typed: bytes | None = None

    @classmethod
    def of(cls, arrival: Arrival) -> Item:
        """The item of a drop that was just created."""
        return cls(arrival.row["arrived"], arrival.document, rows.to_row(arrival.row))

    def json(self, typed: bool) -> bytes:
        """The drop as JSON, with typed elements or plain ones."""
        if not typed:
            if self._plain is None:
                self._plain = orjson.dumps(self.document)
            return self._plain
        if self._typed is None:
            self._typed = orjson.dumps(rows.to_document(self._row, self.document["path"], True))
        return self._typed

    def filtered(self) -> dict[str, Any]:
        """The document for filters, with the types that the writer stated."""
        types = rows.types_of(self._row)
        return self.document if types is None else {**self.document, TYPES: orjson.loads(types)}


@dataclass(frozen=True, slots=True)
class Variant:
    """How a subscription wants its pushes. Subscriptions with equal ones get the same bytes.

    Attributes:
        resource: what the client has subscribed to, a flow's id or its path.
        typed: whether elements are shown as {type, value}.
        has_cursor: whether each push has a cursor.
        filter: the text that drops must match, "" for any.
        passes: the filter compiled; None for any.
    """

    resource: str
    typed: bool = False
    has_cursor: bool = False
    filter: str = ""
    passes: Test | None = field(default=None, compare=False)

    def batch(self, items: list[Item], position: int, now: int) -> Batch:
        """The pushes of those items that came after a position.

        Args:
            items: in the order of their arrival.
            position: the number of the arrival before. Items of a flow of capacity 0 have none, and count.
            now: ms since the epoch.
        """
        passes, typed = self.passes, self.typed
        resource = orjson.dumps(self.resource)
        texts = []
        for item in items:
            number = item.number
            if 0 < number <= position or (passes is not None and not passes(item.filtered(), now)):
                continue
            cursor = Cursor(number or position, now) if self.has_cursor else None
            texts.append(push(resource, item.json(typed), cursor))
        return Batch(texts)


class Listener(Protocol):
    """The session of a subscription.

    Attributes:
        outgoing: what it sends.
    """

    outgoing: Outgoing

    def caller(self, version: bytes | None = None) -> Caller:
        """Whose session it is, with the rights as they are now. Raises Problem if there are none.

        Args:
            version: as for `Accounts.holder`.
        """

    def close(self) -> None:
        """End all its subscriptions."""

    def refuse(self, subscription: Subscription, reason: str) -> None:
        """End a subscription, and tell the client."""


class Subscription:
    """A session's subscription to one flow.

    Args:
        session: whose it is.
        flow_id: the flow.
        variant: how it wants its pushes.
        position: the number of the last arrival that it does not want, or has got.
        since: when it had got that far, in ms since the epoch; 0 if it never had.

    Attributes:
        state: see the module.
    """

    __slots__ = ("flow_id", "position", "session", "since", "state", "variant")

    def __init__(self, session: Listener, flow_id: str, variant: Variant, position: int, since: int) -> None:
        self.session = session
        self.flow_id = flow_id
        self.variant = variant
        self.position = position
        self.since = since
        self.state = State.CATCHING_UP

    def enter(self, state: State) -> None:
        """Go to another state. Raises RuntimeError if it cannot follow."""
        if state is not self.state and state not in TRANSITIONS[self.state]:
            raise RuntimeError(f"{state} cannot follow {self.state}")
        self.state = state

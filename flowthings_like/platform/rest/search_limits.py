"""Searches: requests that may read a whole flow. How long they may take, and how many run at once.

A search takes a place before it starts. There are fewer places than native threads, so that reads by id and
writes always find one of those.

Nobody can tell beforehand whether a search will be slow. So each is begun in a quick place, and those that
are not done in a moment are ended and begun again in one of the others, of which a caller has few: a quick
search never waits for a slow one, whoever made that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..store.cancellation import CURRENT, Ending, SearchTooLong
from .permits import PlaceLimits, Places

if TYPE_CHECKING:
    from .envelope import Answer
    from .request import Request

__all__ = ["QUICK_PLACES", "SEARCH_PLACES", "Handler", "Methods", "Search", "SearchLimits", "Searches"]


Handler = Callable[["Request"], "Answer"]
"""Answers one request."""

Methods = dict[str, Handler]
"""The handlers at one place, by HTTP method."""

SEARCH_PLACES = PlaceLimits(per_caller=2, total=4, waiting=1000)
QUICK_PLACES = PlaceLimits(per_caller=6, total=8, waiting=1000)


@dataclass(frozen=True)
class SearchLimits:
    """What searches may take up, in each process.

    All places together are fewer than the native threads of any backend.

    Attributes:
        seconds: how long one may run; None: as long as it needs.
        places: how many run at once.
        quick: seconds that each is given at first, in one of `quick_places`.
    """

    seconds: float | None = 10.0
    places: PlaceLimits = SEARCH_PLACES
    quick: float = 0.1
    quick_places: PlaceLimits = QUICK_PLACES


class Search:
    """A handler whose requests are searches. Anybody may call it; the application keeps to the limits."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def __call__(self, request: Request) -> Answer:
        """The handler's answer."""
        return self._handler(request)


class Searches:
    """Those of one process.

    Args:
        limits: what they may take up.
    """

    def __init__(self, limits: SearchLimits) -> None:
        self._limits = limits
        self._quick = Places("searches", limits.quick_places)
        self._places = Places("searches", limits.places)

    def run(
        self, search: Callable[[], Answer], caller: Hashable, is_gone: Callable[[], bool] | None
    ) -> Answer:
        """What `search` returns. It is called a second time if it was not quick, so it may only read.

        Its reads end, with a Problem, when they have taken too long, when the client is gone, and when the
        call is interrupted.

        Raises:
            As Places.hold; Unavailable if the client has gone; SearchTooLong; whatever `search` raises.
        """
        limits = self._limits
        if limits.seconds is None or limits.seconds > limits.quick:
            try:
                with self._quick.hold(caller):
                    return _ended(search, Ending(limits.quick, is_gone))
            except SearchTooLong:
                pass
        with self._places.hold(caller):
            return _ended(search, Ending(limits.seconds, is_gone))


def _ended(search: Callable[[], Answer], ending: Ending) -> Answer:
    """What `search` returns, if `ending` lets it."""
    if ending.is_over():
        assert ending.problem is not None
        raise ending.problem
    token = CURRENT.set(ending)
    try:
        return search()
    except BaseException:  # a native thread that is still at work for it learns that nobody waits
        ending.cancel()
        raise
    finally:
        CURRENT.reset(token)

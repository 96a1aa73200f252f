"""Runs an RSS task: reads a feed (RSS or Atom) and makes a drop of each entry that is new or was changed."""

from __future__ import annotations

import calendar
import io
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson

from ...green.backends.choice import native
from ..problems import BadRequest, TooLarge
from ..resources.task_schedule import RunState
from .fetch import FetchedRequest
from .response import check_answer
from .yields import Yield

if TYPE_CHECKING:
    from ...wire.http import Answer
    from ..resources.drops.resource_store import ResourceStore
    from ..resources.task_schedule import StoredTask
    from .fetch import Fetcher

__all__ = ["LARGEST_FEED", "MOST_ENTRIES", "run_rss_task"]

MOST_ENTRIES = 1000
"""Most entries of a feed that are looked at: the first ones, which are the newest."""

LARGEST_FEED = 4 << 20
"""Most bytes of a feed."""

_LONGEST_TEXT = 64 * 1024
"""Most characters of one element."""

_ACCEPT = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1"
_NOT_MODIFIED = 304


def run_rss_task(_store: ResourceStore, fetcher: Fetcher, task: StoredTask) -> Yield:
    """Read the feed. The drops are not written yet.

    An entry's mark is kept as long as the entry is in the feed, so that it makes one drop, whatever the flow
    holds. A changed entry takes the place of its drop, which has the same fhash.

    Raises:
        Problem: it cannot be fetched, or is no feed.
    """
    headers = {"Accept": _ACCEPT}
    if task.state.etag is not None:
        headers["If-None-Match"] = task.state.etag
    if task.state.modified is not None:
        headers["If-Modified-Since"] = task.state.modified
    answer = fetcher.fetch(FetchedRequest(task.body["url"], headers=headers))
    if answer.status == _NOT_MODIFIED:
        return Yield([], replace(task.state))
    check_answer(answer)
    drops = native(_drops, answer)
    seen = set(task.state.seen)
    marks = [_mark(drop) for drop in drops]
    new = [drop for drop, mark in zip(drops, marks, strict=True) if mark not in seen]
    state = RunState(
        etag=_kept(answer.headers.get("etag")),
        modified=_kept(answer.headers.get("last-modified")),
        seen=marks,
    )
    return Yield(new, state)


def _drops(answer: Answer) -> list[dict[str, Any]]:
    """The entries of a feed as drops, oldest first."""
    # Imported here: few platforms read feeds.
    import feedparser

    if len(answer.body) > LARGEST_FEED:
        raise TooLarge(f"the feed has {len(answer.body)} bytes: {LARGEST_FEED} is the most")
    headers = {name: answer.headers[name] for name in ("content-type",) if name in answer.headers}
    # As a file: it would open a file whose name are these bytes, or fetch a URL.
    try:
        feed = feedparser.parse(io.BytesIO(answer.body), response_headers=headers)
    except Exception as error:  # it reads whatever it is given, and fails on some of it in many ways
        raise BadRequest(f"what was fetched cannot be read as a feed: {type(error).__name__}") from error
    if not feed.get("version") and not feed.entries:
        raise BadRequest("what was fetched is no feed: neither RSS nor Atom")
    by_hash: dict[str, dict[str, Any]] = {}
    for entry in reversed(feed.entries[:MOST_ENTRIES]):
        drop = _drop(entry)
        by_hash[drop["fhash"]] = drop  # of two with the same id, the newer one
    return list(by_hash.values())


def _drop(entry: Any) -> dict[str, Any]:
    contents = [each.get("value") for each in entry.get("content", ())]
    texts = {
        "title": entry.get("title"),
        "link": entry.get("link"),
        "description": entry.get("summary"),
        "content": next((each for each in contents if each), None),
        "author": entry.get("author"),
        "guid": entry.get("id"),
    }
    elems: dict[str, Any] = {name: _text(value) for name, value in texts.items() if value}
    tags = [_text(tag["term"]) for tag in entry.get("tags", ())[:100] if tag.get("term")]
    if tags:
        elems["tags"] = tags
    for name in ("published", "updated"):
        # Asked for by `in`: where there is no `updated`, feedparser warns and gives `published`.
        parsed = entry[f"{name}_parsed"] if f"{name}_parsed" in entry else None  # noqa: SIM401
        if parsed is not None:
            ms = calendar.timegm(parsed) * 1000
            if ms >= 0:
                elems[name] = {"type": "date", "value": ms}
    key = elems.get("guid") or elems.get("link") or orjson.dumps(elems).decode()
    return {"elems": elems or {"title": ""}, "fhash": _digest(key)}


def _text(value: Any) -> str:
    return str(value)[:_LONGEST_TEXT].encode("utf-8", "replace").decode()


def _mark(drop: dict[str, Any]) -> str:
    return _digest(orjson.dumps(drop).decode())


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _kept(header: str | None) -> str | None:
    """A header to send back later, unless it is out of all proportion."""
    return header if header is not None and len(header) <= 1024 else None

"""What is announced of the drops that were created: in the order of the commits, once they are on disk."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from flowthings_like.platform.problems import BadRequest
from flowthings_like.platform.resources.drops import verbs
from flowthings_like.platform.resources.drops.announcements import Announcement
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from tests.platform.harness import ME, HeldWriteLock, add_flow, add_track, at_once, queued, until


def follow(store: Store) -> list[int]:
    """Listen, and return a list that gets an entry at each call of the listener."""
    calls: list[int] = []
    store.announcements.listener = lambda: calls.append(1)
    return calls


def numbers(found: list[Announcement]) -> list[tuple[str, int, int, list[int]]]:
    return [
        (
            each.flow.path,
            each.before,
            each.last,
            [arrival.document["elems"]["n"] for arrival in each.arrivals],
        )
        for each in found
    ]


def drop(n: int, fhash: str | None = None) -> dict[str, object]:
    return {"elems": {"n": n}, **({} if fhash is None else {"fhash": fhash})}


def test_each_create_is_announced_with_the_numbers_of_its_arrivals(store: Store, flow: str) -> None:
    calls = follow(store)
    verbs.create(store, ME, flow, drop(1))
    verbs.create_many(store, ME, flow, [drop(2), drop(3)])
    assert numbers(store.announcements.take()) == [("/acme/a", 0, 1, [1]), ("/acme/a", 1, 3, [2, 3])]
    assert len(calls) == 2
    assert store.announcements.take() == []


def test_a_replaced_drop_takes_a_number_and_is_not_announced_again(store: Store, flow: str) -> None:
    follow(store)
    verbs.create(store, ME, flow, drop(1, "x"))
    verbs.create_many(store, ME, flow, [drop(2, "x"), drop(3)])
    assert numbers(store.announcements.take()) == [("/acme/a", 0, 1, [1]), ("/acme/a", 1, 3, [3])]


def test_copies_are_announced_where_tracks_put_them(store: Store, flow: str) -> None:
    add_flow(store, "/acme/b")
    add_track(store, "/acme/a", "/acme/b", "n > 1")
    follow(store)
    verbs.create_many(store, ME, flow, [drop(1), drop(2)])
    assert numbers(store.announcements.take()) == [("/acme/a", 0, 2, [1, 2]), ("/acme/b", 0, 1, [2])]


@pytest.mark.sqlite("processes without a folder do not know whether somebody follows flows, and number all")
def test_a_flow_of_capacity_0_announces_drops_without_numbers(store: Store) -> None:
    flow = add_flow(store, "/acme/live", capacity=0)
    follow(store)
    verbs.create(store, ME, flow, drop(1))
    assert numbers(store.announcements.take()) == [("/acme/live", 0, 0, [1])]


def test_numbers_go_on_after_a_flow_was_emptied(store: Store, flow: str) -> None:
    follow(store)
    verbs.create_many(store, ME, flow, [drop(1), drop(2)])
    verbs.delete_all(store, ME, flow)
    verbs.create(store, ME, flow, drop(3))
    assert numbers(store.announcements.take())[1:] == [("/acme/a", 2, 3, [3])]


@pytest.mark.sqlite("processes without a folder share no version")
def test_what_was_refused_is_not_announced(store: Store) -> None:
    flow = add_flow(store, "/acme/few", filter="n > 1")
    before = store.announcements.news.read()
    calls = follow(store)
    with pytest.raises(BadRequest):
        verbs.create_many(store, ME, flow, [drop(2), drop(1)])
    assert (store.announcements.take(), calls) == ([], [])
    assert store.announcements.news.read() == before


def test_creates_of_one_group_are_announced_in_order(store: Store, flow: str, folder: Path) -> None:
    follow(store)
    with HeldWriteLock(store, folder):
        writers = [partial(verbs.create, store, ME, flow, drop(n)) for n in range(20)]
        creating = threading.Thread(target=at_once, args=(writers,))
        creating.start()
        until(lambda: queued(store) == 20)
    creating.join()
    found = store.announcements.take()
    assert [(each.before, each.last) for each in found] == [(n, n + 1) for n in range(20)]


def test_the_version_tells_other_processes(store: Store, flow: str, folder: Path) -> None:
    with Store(folder) as other:
        before = other.announcements.news.read()
        verbs.create(store, ME, flow, drop(1))
        assert other.announcements.news.read() != before
        assert other.announcements.take() == []

"""What both kinds of bus promise: versions, news and leases between processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import pytest

from flowthings_like.errors import ConfigurationError
from flowthings_like.green.backends.choice import detect
from flowthings_like.platform.bus.bus import Bus
from flowthings_like.platform.bus.folder_bus import FolderBus
from flowthings_like.platform.bus.redis_bus import RedisBus
from tests.transport.things.scripted_node import wait_until

_names = count()


@pytest.fixture(params=["folder", "redis"])
def new_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Bus]]:
    """Makes buses, as each process of a platform makes one."""
    with ExitStack() as stack:

        def make() -> Bus:
            if request.param == "folder":
                return FolderBus(tmp_path, tmp_path)
            url = request.getfixturevalue("redis_server").url()
            return stack.enter_context(closing(RedisBus(url)))

        yield make


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"test{next(_names)}"


def test_a_version_stays_until_any_process_changes_it(new_bus: Callable[[], Bus], name: str) -> None:
    one, two, other = new_bus().version(name), new_bus().version(name), new_bus().version(name + "x")
    one.change()
    other.change()
    seen, unrelated = one.read(), other.read()
    assert seen == one.read() == two.read()
    for changing, reading in ((two, one), (one, two), (one, one)):
        before = reading.read()
        changing.change()
        assert reading.read() != before
        assert reading.read() == changing.read()
    assert other.read() == unrelated


def test_news_come_to_the_other_processes(new_bus: Callable[[], Bus], name: str) -> None:
    one, two = new_bus().news(name), new_bus().news(name)
    wait_until(lambda: one.is_exact and two.is_exact)
    before = two.read()
    assert two.read() == before
    one.change()
    wait_until(lambda: two.read() != before)
    before = one.read()
    two.change()
    wait_until(lambda: one.read() != before)


def test_news_of_several_names_are_told_apart(new_bus: Callable[[], Bus], name: str) -> None:
    one, two = new_bus(), new_bus()
    first, heard = one.news(name), two.news(name)
    wait_until(lambda: first.is_exact and heard.is_exact)
    second, other = one.news(name + "x"), two.news(name + "x")
    wait_until(lambda: second.is_exact and other.is_exact)
    before, unrelated = other.read(), heard.read()
    second.change()
    wait_until(lambda: other.read() != before)
    assert heard.read() == unrelated


def test_one_at_a_time_holds_a_lease(new_bus: Callable[[], Bus], name: str) -> None:
    one, two, other = new_bus().lease(name), new_bus().lease(name), new_bus().lease(name + "x")
    assert one.acquire()
    assert one.acquire()
    assert not two.acquire()
    assert other.acquire()
    two.release()  # it has none
    assert not two.acquire()
    one.release()
    one.release()
    assert two.acquire()
    assert not one.acquire()
    two.release()
    other.release()


def test_processes_without_a_folder_and_a_bus_cache_nothing_and_have_no_leader() -> None:
    bus = FolderBus(None, None)
    version, news = bus.version("rights"), bus.news("drops")
    version.change()
    news.change()
    assert version.read() != version.read()
    assert not news.is_exact
    with pytest.raises(ConfigurationError, match=r"share no folder.*--bus redis://"):
        bus.lease("tasks")


def test_a_closed_bus_ends_its_threads(new_bus: Callable[[], Bus], name: str) -> None:
    bus = new_bus()
    news = bus.news(name)
    wait_until(lambda: news.is_exact)
    bus.close()
    bus.close()
    detect().sleep(0)
    news.change()  # does nothing

"""Which tests run on which backend."""

from __future__ import annotations

import gc
import sys
import zlib

import pytest
from hypothesis import HealthCheck, settings

from flowthings_like.green import detect
from tests.servers.fixtures import *  # noqa: F403 (each kind of server has its fixtures there)
from tests.servers.platform_store import STORE

# A busy machine may take long over one example, and over finding one.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


BACKENDS = ("threads", "gevent", "eventlet")
KINDS = {"threads": ("threads",), "green": ("gevent", "eventlet")}
ALWAYS = ("tests/green/",)  # what differs most between CPythons and backends


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shared",
        action="store_true",
        help="run each test on one backend, another one on each CPython; but those in tests/green and those "
        "marked `exhaustive` on all",
    )
    parser.addoption("--long", action="store_true", help="run the tests marked `long`, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what another kind of backend is needed for, and leave out what another run does.

    A test marked `once` is run on one backend. Three runs of the whole suite share these tests, so that they
    take about equally long. Where paths are given, such tests belong to the run on threads.
    """
    here = detect().name
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    left_out = set()
    for item in items:
        able = _backends_of(item)
        if item.get_closest_marker("once"):
            wanted = _one_of(able, item.path.name) if is_whole or "threads" not in able else "threads"
        elif config.getoption("--shared") and not _is_for_all(item):
            wanted = _one_of(able, _name(item), sys.version_info[1])
        else:
            wanted = here
        if wanted != here or (item.get_closest_marker("long") and not config.getoption("--long")):
            left_out.add(item)
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=list(left_out))


def pytest_collection_finish() -> None:
    """Spare garbage collections what is there now: half a million objects, which take a second."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if detect().name not in _backends_of(item):
        needed = item.get_closest_marker("needs")
        assert needed is not None
        pytest.skip(needed.args[1])
    on_sqlite = item.get_closest_marker("sqlite")
    if on_sqlite is not None and STORE != "sqlite":
        pytest.skip(on_sqlite.args[0])


def _backends_of(item: pytest.Item) -> tuple[str, ...]:
    """The backends that a test can run on: all, or those of the kind that it is marked with."""
    needed = item.get_closest_marker("needs")
    return BACKENDS if needed is None else KINDS[needed.args[0]]


def _is_for_all(item: pytest.Item) -> bool:
    """Whether a test is run on each backend of each CPython that runs it."""
    return item.nodeid.startswith(ALWAYS) or item.get_closest_marker("exhaustive") is not None


def _name(item: pytest.Item) -> str:
    """A test's name, the same in each run. Parameters go by their numbers: packed bytes hold the time."""
    call = getattr(item, "callspec", None)
    return item.nodeid if call is None else f"{item.nodeid.partition('[')[0]}{sorted(call.indices.items())}"


def _one_of(backends: tuple[str, ...], name: str, offset: int = 0) -> str:
    """The same backend for a name on every machine."""
    return backends[(zlib.crc32(name.encode()) + offset) % len(backends)]

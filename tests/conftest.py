"""What all tests share: which of them run once, not once a backend."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import HealthCheck, settings

from flowthings_like.green import detect

# How long an example takes, and how long it takes to think of one, is for a busy machine to say.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


BACKENDS = ("threads", "gevent", "eventlet")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave each test marked `once` to one run: it starts interpreters of its own, patched or not as it
    likes, or goes through so much of something pure that once is enough.

    Three runs of the whole suite share them, a file's in one, so that they take about equally long. Where
    paths are given, they belong to the run on threads."""
    here = detect().name
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    left_out = {
        item
        for item in items
        if item.get_closest_marker("once") and here != (_backend_for(item) if is_whole else "threads")
    }
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=list(left_out))


def _backend_for(item: pytest.Item) -> str:
    """The same for a file's tests on every machine, by its name."""
    return BACKENDS[zlib.crc32(item.nodeid.partition("::")[0].encode()) % len(BACKENDS)]

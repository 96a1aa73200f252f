"""What all tests share: which of them run once, not once a backend."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from flowthings_like.green import detect

# How long an example takes, and how long it takes to think of one, is for a busy machine to say.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked `once` to the run on threads: they start interpreters of their own, patched or not
    as they like, or they go through so much of something pure that once is enough."""
    if detect().name == "threads":
        return
    left_out = [item for item in items if item.get_closest_marker("once")]
    items[:] = [item for item in items if not item.get_closest_marker("once")]
    config.hook.pytest_deselected(items=left_out)

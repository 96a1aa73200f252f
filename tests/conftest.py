"""What all tests share: which of them run once, not once a backend."""

from __future__ import annotations

import pytest

from flowthings_like.green import detect


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked `once` to the run on threads: they start interpreters of their own, patched or not
    as they like, or they go through so much of something pure that once is enough."""
    if detect().name == "threads":
        return
    left_out = [item for item in items if item.get_closest_marker("once")]
    items[:] = [item for item in items if not item.get_closest_marker("once")]
    config.hook.pytest_deselected(items=left_out)

"""What all tests share: those that start interpreters of their own run once, not once a backend."""

from __future__ import annotations

import pytest

from flowthings_like.green import detect


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked `own_interpreter` to the run on threads: what they start is patched, or not, as it
    likes, whichever way this interpreter is."""
    if detect().name == "threads":
        return
    left_out = [item for item in items if item.get_closest_marker("own_interpreter")]
    items[:] = [item for item in items if not item.get_closest_marker("own_interpreter")]
    config.hook.pytest_deselected(items=left_out)

"""Re-exports the fixtures of `pytest_flowthings_like`, for `pytest_plugins` in a conftest.py."""

from __future__ import annotations

from pytest_flowthings_like import flowthings_platform, flowthings_proxy, flowthings_server

__all__ = ["flowthings_platform", "flowthings_proxy", "flowthings_server"]

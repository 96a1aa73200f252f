"""The fixtures of `pytest_flowthings_like`, for a conftest.py that names this module in `pytest_plugins`."""

from __future__ import annotations

from pytest_flowthings_like import flowthings_platform, flowthings_proxy, flowthings_server

__all__ = ["flowthings_platform", "flowthings_proxy", "flowthings_server"]

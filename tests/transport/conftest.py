"""Fixtures of the transport's tests."""

from tests.client.conftest import certificate

__all__ = ["certificate"]

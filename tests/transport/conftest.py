"""Fixtures of the transport's tests."""

from tests.certificates import certificate

__all__ = ["certificate"]

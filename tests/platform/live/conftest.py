"""Fixtures of the tests of live messages."""

from tests.certificates import certificate

__all__ = ["certificate"]

"""What several of these modules need."""

import sys

import pytest


@pytest.fixture
def often():
    """Threads are switched as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.certificates import certificate

from .web import Web, serving

__all__ = ["certificate"]


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server

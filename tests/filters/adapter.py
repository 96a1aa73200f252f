"""Adapter: how the law of filters asks one target."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st

from flowthings_like.filters import Filter, nodes

from . import strategies

__all__ = ["Adapter", "Document"]

Document = dict[str, Any]


class Adapter:
    """How the law asks one target. An adapter opens what it needs in `__init__`, and closes it in `close`."""

    documents: ClassVar[st.SearchStrategy[list[Document]]] = st.lists(
        strategies.drops, min_size=1, max_size=4
    )
    """Documents that the target's store can hold."""
    filters: ClassVar[st.SearchStrategy[Filter]] = strategies.filters
    """Filters of which the target can say at least some."""
    examples: ClassVar[int] = 150

    @classmethod
    def open(cls, request: pytest.FixtureRequest) -> Adapter:
        """The adapter, with its store. The request gives the servers that the tests start."""
        return cls()

    def write(self, node: Filter) -> object:
        """Run the target's writer, which raises CannotFilter for what the target cannot say."""
        return str(node)

    def find(self, documents: list[Document], node: Filter) -> list[bool]:
        """For each document, whether the target finds it. The filter is one that `write` takes."""
        raise NotImplementedError

    def hostile(self, name: str, value: str) -> tuple[list[Document], Filter]:
        """Documents, and a filter with a hostile name and value that finds the first one alone."""
        drops = [{name: value}, {name: value + "'"}, {}]
        documents = [{"id": str(n), "creationDate": 0, "elems": elems} for n, elems in enumerate(drops)]
        return documents, nodes.Compare(nodes.Member(("elems", name)), "==", value)

    def check_hostile(self, several: Iterable[tuple[str, str]]) -> None:
        """Check that the target finds, for each pair of a name and a value, the first document alone."""
        for name, value in several:
            documents, node = self.hostile(name, value)
            self.write(node)
            expected = [True] + [False] * (len(documents) - 1)
            assert self.find(documents, node) == expected, (name, value)

    def close(self) -> None:
        """Close what the adapter has opened."""

"""The adapter of the law for things: the language of the platform's node."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st

from flowthings_like.filters import Filter, nodes
from flowthings_like.filters.predicate import compile_predicate
from flowthings_like.filters.row_members import rules_of
from flowthings_like.filters.things import Code, write_test
from flowthings_like.filters.values import TYPES
from flowthings_like.wire.things.errors import OverflowError as ThingsOverflowError
from tests.platform.things.language.support import Stuff

from . import strategies
from .adapter import Adapter, Document
from .strategies import NOW

__all__ = ["Things"]


def storable(value: Any) -> Any:
    """What a node can store of a value: no key `#`, which is kept for ids, and no stated types."""
    if isinstance(value, dict):
        return {name: storable(item) for name, item in value.items() if name not in ("#", TYPES)}
    return [storable(item) for item in value] if isinstance(value, list) else value


class Things(Adapter):
    """Documents are things in a list. A drop's stated types are left out, because things have none."""

    documents: ClassVar[st.SearchStrategy[list[Document]]] = st.lists(
        (strategies.drops | strategies.resources).map(storable), min_size=1, max_size=4
    )

    def __init__(self) -> None:
        self.stuff = Stuff()

    def write(self, node: Filter) -> Code:
        return write_test(node, NOW)

    def hostile(self, name: str, value: str) -> tuple[list[Document], Filter]:
        return super().hostile("##" if name == "#" else name, value)  # which is kept for ids

    def find(self, documents: list[Document], node: Filter) -> list[bool]:
        code = self.write(node)
        self.stuff(".found = found;", found=documents)
        try:
            asked = f"{code.before}.found.map(|t| {{ {code.text} }});"
            found: list[Any] = self.stuff(asked, **code.variables)
        except ThingsOverflowError:
            # A real number beyond 64 bits has no remainder there: an error, and no other answer.
            assert any(isinstance(rule, nodes.Modulo) for rule in rules_of(node))
            return [compile_predicate(node)(one, NOW) for one in documents]
        assert set(map(type, found)) <= {bool}
        return found

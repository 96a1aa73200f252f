"""Arrival: a drop on its way into a flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from ....filters.values import TYPES

__all__ = ["Arrival"]


@dataclass(slots=True)
class Arrival:
    """A drop on its way into a flow: the document that readers will see, and the row that is stored."""

    document: dict[str, Any]
    row: dict[str, Any]

    def filtered(self) -> dict[str, Any]:
        """The document for filters, with the types that the writer stated."""
        types = self.row["types"]
        return self.document if types is None else {**self.document, TYPES: orjson.loads(types)}

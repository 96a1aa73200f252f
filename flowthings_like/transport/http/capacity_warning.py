"""Warns when a flow is too small for the drops of one call, so that the first are evicted at once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from ...green.findings import place_of_call

__all__ = ["CapacityWarning", "Evictions"]

MOST_FLOWS = 10_000
"""Flows that are remembered, so that each is warned of once."""


class CapacityWarning(UserWarning):
    """A call has created more drops than their flow holds: the first of them were evicted at once."""


class Evictions:
    """Warns of evicted drops, once for each flow."""

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def note(self, path: str, lost: int, body: Any) -> None:
        """Warn of the evictions that an answer reports.

        Args:
            path: the resource path of the request.
            lost: how many of the created drops are gone; at least one.
            body: the created drops.
        """
        drops = body if isinstance(body, list) else [body]
        first = drops[0] if drops and isinstance(drops[0], Mapping) else {}
        flow = str(first.get("path") or first.get("flowId") or path)
        if flow in self._warned:
            return
        if len(self._warned) >= MOST_FLOWS:
            self._warned.clear()
        self._warned.add(flow)
        message = (
            f"{lost} of the {len(drops)} drops that this call has created are gone already, because {flow} "
            "does not hold so many: give it a larger capacity, api.flow.update({'id': …, 'capacity': …})"
        )
        warnings.warn_explicit(message, CapacityWarning, *place_of_call())

"""Tracks: what carries drops from one flow to others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .resource import FullService

__all__ = ["TrackService"]


class TrackService(FullService):
    """`api.track`. A track has a `source`, a `destination`, and may have a `filter` and `js`."""

    path = "/track"

    def simulate(self, drop: Mapping[str, Any], js: str, **params: Any) -> Any:
        """Run a track's function on a drop without storing anything.

        Args:
            drop: the drop to run it on.
            js: the source of a JavaScript function that takes the drop.

        Returns:
            A dict of `drops` (what it returned), `log` and `errors`.
        """
        return self._call("POST", "/simulate", {"drop": drop, "js": js}, params)

"""A store with the weather's flows and tracks, without the API before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RULES = ("wind_speed >= 32", "temp <= 32 && precip > 0", "NOT EXISTS wind_speed")


def open_store(folder: Path, tracks: bool = True) -> tuple[Any, Any, str]:
    """A new store, a caller who may do everything, and the path of a flow with three tracks."""
    from flowthings_like.platform.ids import new_id
    from flowthings_like.platform.resources.access.rights import Caller
    from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
    from flowthings_like.platform.store.schema import resources

    store = Store(folder)

    def add(kind: str, path: str, **body: Any) -> None:
        row = {"id": new_id(kind[0]), "kind": kind, "account": "acme", "path": path, "created": 1}
        row["body"] = json.dumps(body)
        store.write(lambda connection: connection.execute(resources.insert(), [row]), clears_cache=True)

    add("flow", "/acme/weather", capacity=100_000)
    for number, rule in enumerate(RULES if tracks else ()):
        add("flow", f"/acme/alert-{number}", capacity=100_000)
        add("track", "/acme/weather", destination=f"/acme/alert-{number}", filter=rule)
    return store, Caller("acme", new_id("i")), "/acme/weather"

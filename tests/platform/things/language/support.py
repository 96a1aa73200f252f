"""A collection that runs code when it is called."""

from __future__ import annotations

from typing import Any

from flowthings_like.platform.things.language import Collection, Journal, Scope, parse, run


class Stuff:
    """An empty collection named stuff, and what its queries log."""

    def __init__(self, collection: Collection | None = None) -> None:
        self.collection = collection or Collection("stuff")
        self.collection.take_journal()
        self.logs: list[str] = []

    def __call__(self, code: str, **variables: Any) -> Any:
        """Run code and return its result."""
        return run(parse(code), Scope("@collection:stuff", self.collection), variables, self.logs)

    def journal(self) -> Journal:
        """Return what changed since the last call."""
        return self.collection.take_journal()

"""A collection to ask, as short as it can be said."""

from __future__ import annotations

from typing import Any

from flowthings_like.platform.things.language import Collection, Journal, Scope, parse, run


class Stuff:
    """A collection named stuff, empty, and what its queries log."""

    def __init__(self, collection: Collection | None = None) -> None:
        self.collection = collection or Collection("stuff")
        self.collection.take_journal()
        self.logs: list[str] = []

    def __call__(self, code: str, **variables: Any) -> Any:
        """The result of the code."""
        return run(parse(code), Scope("@collection:stuff", self.collection), variables, self.logs)

    def journal(self) -> Journal:
        """What changed since it was last asked."""
        return self.collection.take_journal()

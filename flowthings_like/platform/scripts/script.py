"""Scripts: what is run, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = ["Answer", "Kind", "Run", "Script"]

Answer = Callable[[str, list[Any]], Any]
"""Looks up what a script asks for: ("Drop.find", its arguments) -> a JSON value. It raises a Problem if it
refuses, which the script sees as an exception."""


class Kind(Enum):
    """What a script is for, which says what its source must be."""

    TRACK = "track"
    """A function that takes a drop and returns a drop, a list of drops, a map from path to drops, or null."""
    TASK = "task"
    """`new Task({request, callback})`. An input is {} to get the request, or {"text": …} for the callback."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script.

    Attributes:
        kind: what it is for.
        source: an expression in JavaScript.
        owner: the account that it belongs to, and whose share of the time it uses.
    """

    kind: Kind
    source: str
    owner: str


@dataclass(slots=True)
class Run:
    """What came of a script on one input.

    Attributes:
        value: what it returned, as JSON knows it.
        error: why it returned nothing; None if it did.
        log: what it logged: maps of `line_no` and `message`.
        size: bytes of JSON that the value came as.
    """

    value: Any = None
    error: str | None = None
    log: list[dict[str, Any]] = field(default_factory=list)
    size: int = field(default=0, compare=False)

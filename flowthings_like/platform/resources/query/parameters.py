"""The parameters that the query of a URL may have, with the schema of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....wire.rest import LARGEST_LIMIT, LEVELS

if TYPE_CHECKING:
    from ...json_schema import Schema

__all__ = ["FIND", "READ", "SCHEMAS"]

_NUMBER = r"^\s*(\+?[0-9]{1,30})?\s*$"
_SAYS = "1 or true, 0 or false; anything else counts as not given"


def _switch(text: str) -> Schema:
    return {"type": "string", "examples": ["1"], "description": f"{text}: {_SAYS}"}


SCHEMAS: dict[str, Schema] = {
    "filter": {"type": "string", "description": "what to find, in the filter language; empty for everything"},
    "start": {"type": "string", "pattern": _NUMBER, "description": "how many to leave out at the beginning"},
    "skip": {"type": "string", "pattern": _NUMBER, "description": "the same as start"},
    "limit": {
        "type": "string",
        "pattern": _NUMBER,
        "description": f"how many to return, at most {LARGEST_LIMIT}",
    },
    "sort": {"type": "string", "description": "members to sort by, separated by commas"},
    "order": {"type": "string", "description": "asc or desc, one for all or one for each member to sort by"},
    "only": {"type": "string", "description": "members to return besides the id, separated by commas"},
    "path": {"type": "string", "description": "the path of the flow"},
    "hints": _switch("whether elements are returned as {type, value}"),
    "refs": _switch("whether head.references holds what the objects point to"),
    "explain": _switch("whether to explain how the find would be done, and not do it"),
    "each": _switch("whether each of several finds gets a result of its own, in a list"),
    "level": {
        "type": "string",
        "enum": [*LEVELS, *map(str.lower, LEVELS)],
        "description": f"what one count is for: {', '.join(LEVELS)}",
    },
    "pretty": _switch("whether the JSON is indented"),
    "flatten": {"type": "string", "description": "without effect; old clients send it"},
}
"""The schema of each parameter."""

READ = ("only", "refs")
"""Those of a request that reads documents by id."""

FIND = ("filter", "start", "skip", "limit", "sort", "order", *READ)
"""Those of a find."""

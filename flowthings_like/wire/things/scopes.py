"""Parses scopes, which say where code runs: `@thingsdb`, `@node` or `@collection:NAME`, and their short
forms.

    @t  /t                          the ThingsDB scope
    @n  /n                          the node that the client is connected to
    @n:3  /n/3                      the node with this id
    @:stuff  //stuff  /c/stuff      the collection stuff

Each word may be abbreviated, as `@col:stuff`. The separator is `:` after `@`, and `/` after `/`.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from . import errors as things_errors

__all__ = ["MAX_NODES", "Scope", "cnscope", "is_name", "parse_scope"]

MAX_NODES = 64
"""Nodes that a cluster can have; their ids count from 0."""

_NAME = re.compile(r"[A-Za-z_][0-9A-Za-z_]{0,254}")
_NUMBER = re.compile(r"[0-9]{1,3}")
_SEPARATORS = {"@": ":", "/": "/"}


class Scope(NamedTuple):
    """A parsed scope. `str` returns its full form, as a node writes it.

    Attributes:
        kind: the kind of scope.
        name: the collection's name; empty for other kinds.
        node: the node's id; None for the node that the client is connected to, and for other kinds.
    """

    kind: Literal["thingsdb", "node", "collection"]
    name: str = ""
    node: int | None = None

    def __str__(self) -> str:
        if self.kind == "collection":
            return f"@collection:{self.name}"
        return f"@{self.kind}" if self.node is None else f"@{self.kind}:{self.node}"


def is_name(text: str) -> bool:
    """Whether `text` may name a collection, a property, a variable or a room: 1 to 255 letters, digits and
    underscores of ASCII, no digit first."""
    return _NAME.fullmatch(text) is not None


def parse_scope(text: str) -> Scope:
    """Parse a scope.

    Raises:
        things_errors.ValueError: it is malformed; the message says what is expected.
        things_errors.TypeError: it is not a str.
    """
    if not isinstance(text, str):
        raise things_errors.TypeError(f"a scope is a str such as '@:stuff', not {type(text).__name__}")
    separator = _SEPARATORS.get(text[:1])
    if separator is None or len(text) == 1:
        raise _malformed(text, "'@thingsdb', '@node' or '@collection:NAME' (shorter: '@t', '@n', '//NAME')")
    word, found, rest = text[1:].partition(separator)
    if word and "thingsdb".startswith(word):
        if found:
            raise _malformed(text, f"{text[0] + word!r}, with nothing behind it")
        return Scope("thingsdb")
    if word and "node".startswith(word):
        return Scope("node", node=_node(text, rest) if rest else None)
    if found and "collection".startswith(word):
        if not is_name(rest):
            raise _malformed(text, "a collection's name of letters, digits and underscores, no digit first")
        return Scope("collection", rest)
    raise _malformed(text, f"'thingsdb', 'node' or 'collection{separator}NAME' behind {text[0]!r}")


def _node(text: str, digits: str) -> int:
    if _NUMBER.fullmatch(digits) and int(digits) < MAX_NODES:
        return int(digits)
    raise _malformed(text, f"a node's id from 0 to {MAX_NODES - 1}")


def _malformed(text: str, expected: str) -> things_errors.ValueError:
    shown = text if len(text) <= 80 else text[:80] + "…"
    return things_errors.ValueError(f"invalid scope {shown!r}: expected {expected}")


def cnscope(scope: str) -> str:
    """The name in a collection's scope: 'stuff' for '//stuff' and for '@collection:stuff'.

    Raises:
        things_errors.ValueError: it is not the scope of a collection. python-thingsdb's function of this name
            accepts any text with a name after its last separator, such as '@node:x'.
    """
    parsed = parse_scope(scope)
    if parsed.kind != "collection":
        raise _malformed(scope, "the scope of a collection, such as '//stuff'")
    return parsed.name

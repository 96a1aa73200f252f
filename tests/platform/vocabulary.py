"""Words, texts and values to make random requests of: those that the platform knows, and others."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import strategies as st

from flowthings_like.platform.resources.aggregates.plan import MEMBERS
from flowthings_like.platform.resources.base import registry
from flowthings_like.platform.resources.drops.validation import SET_BY_PLATFORM, SET_BY_WRITER

NAMES = sorted(
    {*MEMBERS, *SET_BY_PLATFORM, *SET_BY_WRITER, "flowId", "params", "elems", "temp", "drop", "text", "http"}
    | {"uri", "lat", "lon", "specifiers", "type", "value", "/acme", "/acme/a", "read", "administer", "year"}
    | {name for resource in registry.resources().values() for name in resource.known}
)
TEXTS = [
    *(
        "",
        " ",
        "a",
        "temp",
        "/acme/a",
        "/acme/b",
        "/acme/new",
        "/other/a",
        "/acme",
        "/",
        "é😀",
        "\x00",
        "\ud800",
    ),
    *(
        "temp > 1",
        "temp >",
        "EXISTS temp",
        "$avg:temp",
        "$month",
        "$count",
        "1",
        "-1",
        "1e400",
        "true",
        "null",
    ),
    *("elems.temp", "elems", "creationDate", "asc", "desc", "HOUR", "2026", "aggregate", "simulate", "run"),
    *(
        "tcp://example.com:1883",
        "https://example.com",
        "http://[",
        "https://x:99999",
        "date",
        "integer",
        "map",
    ),
    *("function (drop) { return drop; }", "x" * 5000, "f" + "0" * 24, "d" + "f" * 24, "i" + "g" * 24),
]
NUMBERS = [0, 1, -1, 2, 1000, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64, 10**400, 0.5, 1e308, -0.0]
WORDS = [
    *(
        "temp",
        "elems.temp",
        "`a b`",
        "path",
        "AGE",
        "EXISTS",
        "HAS",
        "MATCHES",
        "NOT",
        "IN",
        "CONTAINS",
        "OF",
    ),
    *(
        "WITHIN",
        "MILES",
        "KM",
        "[ZIP=10001]",
        "(",
        ")",
        "[",
        "]",
        "&&",
        "||",
        "==",
        "!=",
        "<=",
        ">",
        "=~",
        "%",
    ),
    *(
        "/a+/i",
        "/(/",
        "/\\",
        "'x'",
        '"',
        "'",
        "\\",
        "1",
        "-1e999",
        "0",
        "[1, 2]",
        "[40, -73]",
        "null",
        "true",
    ),
    *(
        ",",
        ".",
        "``",
        "Date(1)",
        "ObjectId('x')",
        "('a')",
        "\x00",
        "é",
        "/(a|b)*c/",
        "$",
        "AGE('temp')",
        "\n",
    ),
]


def json_text(value: Any) -> bytes:
    """A value as JSON, with half a surrogate pair and numbers that are too large if it has them."""
    return json.dumps(value).encode()


def values(ids: list[str]) -> st.SearchStrategy[Any]:
    """JSON values, with ids that exist among them."""
    leaves = st.one_of(
        st.sampled_from([*ids, *TEXTS]),
        st.sampled_from(NUMBERS),
        st.booleans(),
        st.none(),
        st.text(max_size=8),
    )
    names = st.one_of(st.sampled_from([*NAMES, *ids]), st.text(max_size=5))
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
        max_leaves=12,
    )


def assert_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """The platform has logged no traceback and no warning."""
    failures = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert failures == [], caplog.text[-5000:]

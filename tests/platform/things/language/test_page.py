"""docs/language.md names every function and method that exists, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from flowthings_like.platform.things.language import limits
from flowthings_like.platform.things.language.compiler.forms import FORMS
from flowthings_like.platform.things.language.runtime.builtin import FUNCTIONS, METHODS
from flowthings_like.platform.things.language.values.types import TYPE_NAMES

PAGE = (Path(__file__).parents[4] / "docs" / "language.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, set[str]]:
    """Return the names in each row of the table below the heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = re.findall(r"^\| ([^|]+) \| (.+) \|$", section, re.MULTILINE)
    return {first: set(re.findall(r"`(\w+)`", names)) for first, names in table}


def test_functions() -> None:
    assert set().union(*rows("Functions").values()) == {*FUNCTIONS, *FORMS}


def test_methods() -> None:
    found = rows("Methods")
    for kind, methods in METHODS.items():
        name = TYPE_NAMES[kind].replace("mpdata", "information")
        named = [names for of, names in found.items() if name in re.split(r"\W+", of)]
        assert set().union(*named) == set(methods), name


def test_bounds() -> None:
    assert (limits.MAX_CODE, limits.MAX_STEPS, limits.MAX_SECONDS) == (64 << 10, 10**6, 10)
    assert (limits.MAX_CALLS, limits.MAX_TEXT, limits.MAX_VALUES) == (50, 16 << 20, 10**6)

"""The source of a closure parses to the same tree when it is formatted, and without white space."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from flowthings_like.platform.things.language.compiler import program
from flowthings_like.platform.things.language.syntax.parser import parse_tree
from flowthings_like.wire.things import errors

from .test_results import RESULTS
from .test_thingsdb import RESULTS as ANSWERED


def tree(text: str) -> Any:
    return parse_tree(text)


def sources() -> list[str]:
    codes = [code for code, *_ in [*RESULTS, *ANSWERED] if not code.startswith("5 .")]  # a significant space
    found = [f"|| {{{code}\n}}" for code in codes]
    kept: list[str] = []
    for source in dict.fromkeys(found):
        with suppress(errors.SyntaxError):
            if tree(source).children[0].children[0].data == "closure":
                kept.append(source)
    return kept


@pytest.mark.once
def test_formatted_source_parses_to_the_same_tree() -> None:
    for source in sources():
        assert tree(program._format(source)) == tree(source), source


@pytest.mark.once
def test_compacted_source_parses_to_the_same_tree() -> None:
    for source in sources():
        assert tree(program._compact(source)) == tree(source), source

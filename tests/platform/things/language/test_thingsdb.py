"""The node answers as a real ThingsDB 1.9 does. Its answers are in thingsdb.txt.

Each line runs on a collection of its own, after SETUP. An expected float has to be a float, an int an int.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.platform.things.language import Scope, call_procedure
from flowthings_like.wire.things import errors

from .support import Stuff

SETUP = """
    .l = [1, 2, 3];
    .s = set({n: 1}, {n: 2});
    .t = {a: 1, b: 2, c: 3, d: 4};
    .dt = datetime(2013, 2, 6, 13, 'Europe/Amsterdam');
    .test = |x| .x = x;
    .room = room();
    new_procedure('square', |x| x * x);
"""

LINES = (Path(__file__).parent / "thingsdb.txt").read_text(encoding="utf-8").splitlines()


def read(sign: str) -> list[tuple[str, str]]:
    """The lines with this sign: the code, and what follows the sign."""
    found = [line.partition(f"  {sign}  ") for line in LINES if not line.startswith("#") and line]
    return [(code.replace("⏎", "\n").replace("⇥", "\t"), rest) for code, middle, rest in found if middle]


RESULTS, REFUSED = read("->"), read("!!")


def test_every_line_is_a_result_or_an_error() -> None:
    assert len(RESULTS) + len(REFUSED) == sum(1 for line in LINES if line and not line.startswith("#"))


@pytest.fixture
def stuff() -> Stuff:
    made = Stuff()
    made(SETUP)
    return made


def alike(result: Any, expected: Any) -> bool:
    """Whether values are equal and of equal types; a bool may be written as 1 or 0."""
    if isinstance(result, bool):
        return bool(result == expected)
    if type(result) is not type(expected):
        return False
    if isinstance(result, list):
        return len(result) == len(expected) and all(map(alike, result, expected))
    if isinstance(result, dict):
        return result.keys() == expected.keys() and all(alike(result[key], expected[key]) for key in result)
    return bool(result == expected)


@pytest.mark.once
@pytest.mark.parametrize(("code", "expected"), RESULTS, ids=[code for code, _ in RESULTS])
def test_result(stuff: Stuff, code: str, expected: str) -> None:
    result = stuff(code)
    assert alike(result, ast.literal_eval(expected)), result


@pytest.mark.once
@pytest.mark.parametrize(("code", "expected"), REFUSED, ids=[code[:60] for code, _ in REFUSED])
def test_refused(stuff: Stuff, code: str, expected: str) -> None:
    name, _, said = expected.partition(": ")
    kind = getattr(errors, name)
    with pytest.raises(kind, match=re.escape(said)) as raised:
        stuff(code)
    assert type(raised.value) is kind


def test_procedures_with_side_effects_need_no_wse(stuff: Stuff) -> None:
    stuff("new_procedure('write', |x| .x = x); new_procedure('hidden', |x| .test.call(x))")
    scope = Scope("@collection:stuff", stuff.collection)
    assert call_procedure("write", [7], scope) == 7
    with pytest.raises(errors.OperationError, match="closures with side effects"):
        call_procedure("hidden", [7], scope)
    assert stuff(".x") == 7

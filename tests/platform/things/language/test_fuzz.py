"""Every text and every random program soon ends with a result or a ThingsDB error, and nothing breaks."""

from __future__ import annotations

import random
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.platform.things.language import parse
from flowthings_like.platform.things.language.runtime.builtin import FUNCTIONS, METHODS
from flowthings_like.wire.things import errors
from flowthings_like.wire.things.values import pack

from .support import Stuff
from .test_results import ERRORS, RESULTS
from .test_thingsdb import REFUSED
from .test_thingsdb import RESULTS as ANSWERED

CODE = [
    code
    for code, *_ in [*RESULTS, *ERRORS, *ANSWERED, *REFUSED]
    if len(code) < 200 and "000" not in code and "range(100)" not in code
]
PIECES = [
    *"{}[]()|;:,.?!`'\"#+-*/%&^<>=~ \n",
    *[
        "if",
        "else",
        "for",
        "in",
        "return",
        "break",
        "continue",
        "nil",
        "true",
        "false",
        "x",
        "y",
        ".a",
        ".b",
        "..",
        "0",
        "1",
        "-1",
        "1.5",
        "'a'",
        "/a/",
        "||",
        "&&",
        "==",
        "+=",
        "{}",
        "[]",
        "|x|",
    ],
    *sorted(FUNCTIONS),
    *sorted({f".{name}(" for methods in METHODS.values() for name in methods}),
]
ODD = [
    "nil",
    "true",
    "-1",
    "9223372036854775807",
    "1.5",
    "inf",
    "''",
    "'a'",
    "bytes('a')",
    "[]",
    "[1, 'a', [2]]",
]
ODD += [
    "{}",
    "{a: 1}",
    "set({})",
    "room()",
    "|x| x",
    "|a, b| 1",
    "err()",
    "/a*/",
    "datetime(0)",
    "timeval(0)",
    "datetime(2024, 2, 29, 'Europe/Amsterdam')",
    "set({}, {})",
    ".s",
    ".",
    ".t",
    ".l",
]
ODD += ["procedures_info()", "nan", "'-'", "[[], []]", "[1, 2, 1]", "['b', 'a']", "-9223372036854775808"]
LONGEST = 10.0
"""Seconds of processor time for one query; a hang takes longer. Clock time says nothing on a busy machine."""


def survives(stuff: Stuff, code: str) -> None:
    """Check that code ends with a result or an error that can be sent, and the collection stays usable."""
    start = time.process_time()
    try:
        pack(stuff(code))
        pack(stuff(f"x = || {{{code}\n}}; .f = x; [`{{x}}`, x]"))
    except errors.ThingsDBError as error:
        pack(str(error))
    stuff.journal()
    assert time.process_time() - start < LONGEST, code


def mutated(chance: random.Random) -> str:
    """A program made of parts of two programs, with a few pieces changed."""
    text = chance.choice(CODE)
    other = chance.choice(CODE)
    text = text[: chance.randint(0, len(text))] + other[chance.randint(0, len(other)) :]
    for _ in range(chance.randint(0, 3)):
        at = chance.randint(0, len(text))
        text = text[:at] + chance.choice(PIECES) + text[at + chance.randint(0, 2) :]
    return text


def fuzz(seed: int, times: int) -> None:
    chance = random.Random(seed)
    stuff = Stuff()
    for number in range(times):
        if number % 100 == 0:
            stuff = Stuff()
            stuff(".t = {a: 1, b: {c: 2}}; .l = [1, 'a', {}]; .r = room(); .s = set({})")
        survives(stuff, mutated(chance))


@pytest.mark.once
def test_mutated_programs() -> None:
    fuzz(20260, 2_000)


@pytest.mark.exhaustive
@pytest.mark.once
def test_many_mutated_programs() -> None:
    fuzz(4, 20_000)


@pytest.mark.once
@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_any_text(text: str) -> None:
    with suppress(errors.ThingsDBError):
        parse(text)


@pytest.mark.once
def test_every_function_with_odd_arguments() -> None:
    chance = random.Random(7)
    stuff = Stuff()
    calls = [f"{name}(" for name in sorted(FUNCTIONS)]
    calls += [
        f"{odd}.{name}(" for odd in ODD if odd != "." for name in sorted(set().union(*METHODS.values()))
    ]
    stuff(".t = {a: 1}; .l = [1, 'a']; .s = set({}); new_procedure('a', |x| x)")
    for call in calls:
        for count in range(3):
            args = ", ".join(chance.choice(ODD).replace(".", "nil", 1) if count else "" for _ in range(count))
            survives(stuff, call + args + ")")


@pytest.mark.parametrize(
    "piece",
    ["(", "[", "{", "{a:", "!", "-", "|x|", "||", "`{", "a.", "a[", "f(", "a?b:", "if(1)", "return "],
)
def test_endless_nesting_is_refused(piece: str) -> None:
    code = piece * (20_000 // len(piece))
    with pytest.raises(errors.SyntaxError):
        parse(code)
    with pytest.raises(errors.SyntaxError):
        parse(piece * 2000 + "1" + {"(": ")", "[": "]", "`{": "}`"}.get(piece, "") * 2000)


@pytest.mark.once
def test_long_chains_are_not_nesting() -> None:
    assert Stuff()("+".join(["1"] * 5000)) == 5000
    assert Stuff()("||".join(["nil"] * 3000)) is None
    assert Stuff()("1;" * 5000) == 1

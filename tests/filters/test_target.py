"""The contract of filters' targets: the table, `split`, CannotFilter and Explanation."""

from __future__ import annotations

import pickle
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings

from flowthings_like.errors import CannotFilter, InvalidInput
from flowthings_like.filters import EXISTS, NOT, Filter, mem, nodes
from flowthings_like.filters.predicate import compile_predicate
from flowthings_like.filters.target import TARGETS, Explanation, Parts, cannot, split

from .strategies import NOW, drops, filters

pytestmark = pytest.mark.once

hot, calm, named = mem.temp > 90, mem.wind < 5, mem.name.re("^t")


def without_patterns(node: Filter) -> None:
    """The check of a store that can test everything but patterns."""
    match node:
        case nodes.Regex() | nodes.Matches():
            cannot("The store", node, "has no patterns; compare with == or IN")
        case nodes.Not(one):
            without_patterns(one)
        case nodes.And(several) | nodes.Or(several):
            for one in several:
                without_patterns(one)


def test_every_target_has_a_module() -> None:
    for name in TARGETS:
        assert import_module(f"flowthings_like.filters.{name}").__doc__


@pytest.mark.parametrize(
    ("node", "said", "rest"),
    [
        (hot, hot, None),
        (named, None, named),
        (hot & calm, hot & calm, None),
        (hot & named, hot, named),
        (hot & named & calm, hot & calm, named),
        ((hot & named).AND(calm), hot & calm, named),
        (hot | named, None, hot | named),
        ((hot | named) & calm, calm, hot | named),
        (~(hot | named), NOT(hot), NOT(named)),
        (~(hot | calm), ~(hot | calm), None),
        (~~(hot & named), hot, named),
        (~(hot & named), None, ~(hot & named)),
    ],
    ids=str,
)
def test_a_conjunction_is_split(node: Filter, said: Filter | None, rest: Filter | None) -> None:
    assert split(node, without_patterns) == Parts(said, rest)


def test_no_filter_leaves_no_rest() -> None:
    assert split(None, without_patterns, partial=False) == Parts(None, None)
    assert Parts(None, None).test() is None


def test_what_cannot_be_said_is_an_error_that_says_what_would_work() -> None:
    with pytest.raises(CannotFilter) as caught:
        split(hot & named, without_patterns, partial=False)
    error = caught.value
    assert isinstance(error, InvalidInput)
    assert (error.target, error.part) == ("The store", "name =~ /^t/")
    assert str(error) == (
        "The store cannot test `name =~ /^t/`: it has no patterns; compare with == or IN; "
        "with partial=True this part is tested here, on what the rest of the filter finds"
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.part) == (str(error), error.part)
    with pytest.raises(CannotFilter, match=r"or IN$"):
        split(named, without_patterns, partial=False, allowed=False)


def test_a_long_part_is_cut_in_the_message() -> None:
    error = CannotFilter("The store", "x" * 10_000, "is small")
    assert len(str(error)) < 300
    assert len(error.part) == 10_000


@settings(max_examples=200, deadline=None)
@given(drops, filters)
def test_said_and_rest_together_mean_the_filter(document: Any, node: Filter) -> None:
    parts = split(node, without_patterns)
    for part in (parts.said, parts.rest):
        assert part is None or str(part)
    found = all(
        compile_predicate(part)(document, NOW) for part in (parts.said, parts.rest) if part is not None
    )
    assert found == compile_predicate(node)(document, NOW)
    if parts.said is not None:
        without_patterns(parts.said)


def test_an_explanation_shows_requests_and_the_rest() -> None:
    parts = split(hot & named, without_patterns)
    said = Explanation.of("sql", ["SELECT 1 WHERE temp > $1"], parts)
    assert str(said) == "sql: SELECT 1 WHERE temp > $1\ntested here: name =~ /^t/"
    assert Explanation.of("sql", ["SELECT 1"], Parts(hot, None)).rest == ""
    assert EXISTS(mem.a) != said

"""The states of a membership, and the changes between them that are allowed."""

from __future__ import annotations

import itertools

import pytest

from flowthings_like.services.things.membership import TRANSITIONS, Membership, State

CHANGES = list(itertools.permutations(State, 2))


def membership_in(state: State) -> Membership:
    found = Membership("stuff", 7)
    found.state = state
    return found


def test_every_state_can_be_reached_and_left() -> None:
    assert TRANSITIONS.keys() == set(State)
    reached = {State.OUT}
    for _ in State:
        reached |= {after for before in reached for after in TRANSITIONS[before]}
    assert reached == set(State)
    assert all(State.OUT in TRANSITIONS[state] for state in set(State) - {State.OUT})


@pytest.mark.parametrize(("before", "after"), CHANGES, ids=lambda state: state.name)
def test_a_change_is_made_if_the_table_has_it(before: State, after: State) -> None:
    membership = membership_in(before)
    if after in TRANSITIONS[before]:
        membership.change(after)
        assert membership.state is after
    else:
        with pytest.raises(AssertionError):
            membership.change(after)
        assert membership.state is before


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_a_change_may_be_made_again(state: State) -> None:
    membership = membership_in(state)
    membership.change(state)
    assert membership.state is state


def test_events_are_held_only_while_the_answer_to_a_first_join_is_awaited() -> None:
    for state in State:
        membership = membership_in(state)
        membership.hold(("msg", [1]))
        assert bool(membership._held) == (state is State.JOINING)

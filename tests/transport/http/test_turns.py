"""Reading and unpacking large bodies waits for turns of the hub, and may be interrupted there."""

from __future__ import annotations

import gzip
import json

import pytest

from flowthings_like import API, Token
from flowthings_like.green import detect
from tests.services.support import Answer, envelope, serving

WORDS = ["a word of twenty-one bytes"] * 80_000  # two megabytes
PLAIN = json.dumps(envelope(WORDS)).encode()
BODIES = {
    "small": Answer(),
    "plain": Answer(body=PLAIN),
    # Stored as it is, so that the packed body is large as well.
    "packed": Answer(body=gzip.compress(PLAIN, 0), headers={"Content-Encoding": "gzip"}),
}


AT_LEAST = len(PLAIN) // (256 * 1024 + 65_536)  # what is read at once may go beyond the quarter megabyte


class Interrupt(BaseException):
    """What gevent.Timeout and GreenletExit are to a program."""


@pytest.fixture
def turns(monkeypatch):
    """What is appended to at each turn; the fixture's `at` raises at that one."""

    class Turns(list):
        at = 0

    found = Turns()

    def fair_yield(self):
        found.append(self)
        if len(found) == found.at:
            raise Interrupt

    monkeypatch.setattr(type(detect()), "fair_yield", fair_yield)
    return found


@pytest.fixture(params=["auto", "requests"])
def api(request):
    with serving(lambda seen: BODIES[seen.target.rpartition("/")[2]]) as server:
        options = {"host": server.address, "secure": False, "transport": request.param}
        with API(Token("acc", "tok"), **options) as api:
            api.server = server
            yield api


def test_small_bodies_wait_for_no_turn(api, turns):
    api.drop("small").find()
    assert turns == []


@pytest.mark.parametrize("kind", ["plain", "packed"])
def test_large_bodies_wait_for_a_turn_each_quarter_megabyte(api, turns, kind):
    assert api.drop(kind).find() == WORDS
    assert AT_LEAST <= len(turns) <= 2 * AT_LEAST


@pytest.mark.parametrize("kind", ["plain", "packed"])
def test_an_interrupt_while_waiting_for_a_turn_costs_that_call_only(api, turns, kind):
    for at in range(1, AT_LEAST + 1):
        turns.clear()
        turns.at = at
        with pytest.raises(Interrupt):
            api.drop(kind).find()
        turns.at = 0
        assert api.drop("small").find() == {"id": "f1"}
        assert api.drop(kind).find() == WORDS

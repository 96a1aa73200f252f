"""What is remembered of scripts and their owners."""

from __future__ import annotations

import pytest

from flowthings_like.platform.scripts import standings
from flowthings_like.platform.scripts.script import Kind, Script
from flowthings_like.platform.scripts.standings import Standing, Standings


def script(source: str, owner: str = "acme") -> Script:
    return Script(Kind.TRACK, source, owner)


def test_a_script_stands_as_it_ran_the_last_time() -> None:
    known = Standings()
    assert known.of(script("a")) is Standing.NEW
    for seconds, standing in [(0.001, Standing.QUICK), (0.1, Standing.SLOW), (0.0, Standing.QUICK)]:
        known.note(script("a"), seconds)
        assert known.of(script("a")) is standing
    known.note(script("a"), None)
    assert known.of(script("a")) is Standing.SLOW
    assert known.of(script("a", "other")) is Standing.NEW


def test_new_scripts_of_whose_script_was_stopped_count_as_slow_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Standings()
    known.note(script("quick"), 0.001)
    known.note(script("slow"), 0.1)
    assert known.of(script("new")) is Standing.NEW
    known.note(script("endless"), None)
    assert known.of(script("new")) is Standing.SLOW
    assert known.of(script("quick")) is Standing.QUICK
    assert known.of(script("new", "other")) is Standing.NEW
    monkeypatch.setattr(standings, "SUSPECT_SECONDS", 0.0)
    assert known.of(script("new")) is Standing.NEW


def test_it_remembers_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standings, "_REMEMBERED", 3)
    known = Standings()
    for number in range(10):
        known.note(script(str(number), str(number)), None)
    assert len(known._scripts) == len(known._stopped) == 3
    assert known.of(script("9", "9")) is Standing.SLOW
    assert known.of(script("0", "0")) is Standing.NEW

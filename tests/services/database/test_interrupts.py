"""Calls interrupted anywhere: no driver gives rows to another call, and nothing is left behind."""

from __future__ import annotations

import sys
from importlib.metadata import version

import pytest

from flowthings_like.green.backends.choice import detect

from .interrupts import Crowd, drive, measure
from .support import until
from .targets import Target

# psycopg says so of a connection that was interrupted just when `connect` returned it.
pytestmark = pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")


@pytest.fixture(autouse=True)
def ignore_what_cannot_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler may raise in the garbage collector. pytest keeps the frames of such exceptions."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)


def interrupt(target: Target, times: int, seed: int) -> None:
    if target.driver == "duckdb" and detect().name == "threads" and version("duckdb") < "2":
        pytest.skip("DuckDB 1 may wait for ever for a database that a signal has interrupted in use")
    with target.pool(cp_max=2, cp_min=2) as pool:
        crowd = Crowd(target, pool, seed)
        drive(crowd, times, 1.5 * measure(crowd))
        crowd.check_all()
    until(lambda: target.sessions() == 0)


def test_calls_are_interrupted_at_random(target: Target) -> None:
    interrupt(target, 500, 1)


@pytest.mark.long
def test_calls_are_interrupted_at_random_for_long(target: Target) -> None:
    interrupt(target, 10_000, 2)

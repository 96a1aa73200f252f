"""What waits for a thunk and what does not, as docs/parallel.md lists it."""

from __future__ import annotations

import copy
import functools
import inspect
import io
import logging
import pickle
import pprint
import reprlib
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from flowthings_like.green.calls.thunk import GreenThunk, force, is_ready
from flowthings_like.green.future import Future, Origin


class Answered(Future):
    """A call that is done as soon as somebody waits for it."""

    origin = Origin("call", sys._getframe().f_code, 0)

    def wait(self, timeout: float | None = None) -> None:
        self.set_result({"id": "f1"})


@pytest.fixture
def log() -> logging.Logger:
    made = logging.Logger("waits")
    made.addHandler(logging.StreamHandler(io.StringIO()))
    return made


def thunk() -> GreenThunk[Any]:
    return GreenThunk(Answered())


def with_locals(value: Any) -> str:
    return str(traceback.StackSummary.extract([(sys._getframe(), 1)], capture_locals=True))


SHOWS: dict[str, Callable[[Any, logging.Logger], Any]] = {
    "repr": lambda value, log: repr(value),
    "!r": lambda value, log: f"{value!r}",
    "print": lambda value, log: print([value], {"a": value}, file=io.StringIO()),
    "reprlib": lambda value, log: reprlib.repr([value]),
    "traceback": lambda value, log: with_locals(value),
    "log repr": lambda value, log: log.warning("%s", repr(value)),
    "log f-string": lambda value, log: log.warning(f"{value!r}"),
    "log two": lambda value, log: log.warning("%r %d", value, 1),
    "log off": lambda value, log: log.debug("%r", value) if log.setLevel("INFO") is None else None,
}
WAITS: dict[str, Callable[[Any, logging.Logger], Any]] = {
    "log %r": lambda value, log: log.warning("%r", value),
    "log %s": lambda value, log: log.warning("%s", value),
    "isinstance": lambda value, log: isinstance(value, dict),
    "copy": lambda value, log: copy.copy(value),
    "pickle": lambda value, log: pickle.dumps(value),
    "singledispatch": lambda value, log: functools.singledispatch(lambda value: value)(value),
    "pprint": lambda value, log: pprint.pformat(value, width=10),
    "isclass": lambda value, log: inspect.isclass(value),
}


@pytest.mark.parametrize("name", SHOWS)
def test_showing_a_thunk_does_not_wait(name: str, log: logging.Logger) -> None:
    value = thunk()
    SHOWS[name](value, log)
    assert not is_ready(value)


@pytest.mark.parametrize("name", WAITS)
def test_asking_what_it_is_waits(name: str, log: logging.Logger) -> None:
    value = thunk()
    WAITS[name](value, log)
    assert is_ready(value)


def test_no_pattern_matches_a_thunk() -> None:
    def matched(value: Any) -> str:
        match value:
            case {"id": id}:
                return str(id)
            case _:
                return "nothing"

    value = thunk()
    assert matched(value) == "nothing"
    assert not is_ready(value)
    assert matched(force(value)) == "f1"

"""The errors of a node: by code, by name, and as the builtins of their names."""

from __future__ import annotations

import asyncio
import builtins
import pickle

import pytest
import thingsdb.exceptions
from thingsdb.client.baseprotocol import _ERRMAP

from flowthings_like import FlowThingsError
from flowthings_like.wire.things import errors as things_errors
from flowthings_like.wire.things.errors import CustomError, NodeError, ThingsDBError, error_from

CODES = [*range(-64, -49), *range(-6, 0)]
BUILTINS = {
    "TypeError",
    "ValueError",
    "OverflowError",
    "ZeroDivisionError",
    "LookupError",
    "AssertionError",
    "MemoryError",
}


@pytest.mark.parametrize("code", CODES)
def test_each_code_has_the_genuine_name(code: int) -> None:
    error = error_from(code, "why")
    assert type(error).__name__ == _ERRMAP[code].__name__
    assert (error.error_code, str(error)) == (code, "why")
    assert isinstance(error, FlowThingsError)


@pytest.mark.parametrize("code", [-127, -100, -65, -49, -7, 0, 1, 255])
def test_a_code_without_a_name_is_kept(code: int) -> None:
    error = error_from(code, "why")
    assert type(error) is CustomError
    assert error.error_code == code


def test_all_names_of_the_genuine_module_are_here() -> None:
    genuine = {
        name
        for name, value in vars(thingsdb.exceptions).items()
        if isinstance(value, type) and issubclass(value, thingsdb.exceptions.ThingsDBError)
    }
    assert genuine <= set(things_errors.__all__)


def test_those_named_as_builtins_are_builtins_too() -> None:
    classes = {cls.__name__: cls for cls in ThingsDBError.__subclasses__()}
    assert {name for name, cls in classes.items() if issubclass(cls, _of_builtins(name))} == BUILTINS
    assert not issubclass(things_errors.SyntaxError, builtins.SyntaxError)


def _of_builtins(name: str) -> type:
    return getattr(builtins, name, asyncio.InvalidStateError)  # the latter: no class of ours is one


def test_a_cancelled_operation_does_not_hide_from_except_exception() -> None:
    assert not issubclass(things_errors.CancelledError, asyncio.CancelledError)
    assert issubclass(things_errors.CancelledError, Exception)


def test_only_a_busy_node_is_worth_another_try() -> None:
    assert [cls for cls in ThingsDBError.__subclasses__() if cls.retryable] == [NodeError]


def test_the_code_is_never_missing() -> None:
    assert ThingsDBError("x").error_code == 0
    assert things_errors.LookupError("x").error_code == -54


@pytest.mark.parametrize("code", [-54, -51, -101])
def test_pickling_keeps_everything(code: int) -> None:
    error = error_from(code, "why")
    error.attempts = 3
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (copy.error_code, copy.attempts, copy.args) == (code, 3, ("why",))

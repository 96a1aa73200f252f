"""The errors of BTrDB: by code, by name, and as the builtins of their names."""

from __future__ import annotations

import builtins
import pickle

import pytest

from flowthings_like import FlowThingsError, InvalidInput, InvalidResponse
from flowthings_like.wire.btrdb import errors, status, v5api

pytestmark = pytest.mark.once

GENUINE = pytest.importorskip("btrdb.exceptions")


@pytest.mark.parametrize("code", range(400, 503))
def test_each_code_has_the_genuine_name(code: int) -> None:
    error = status.error_from(code, "why")
    ours = {406: "AmbiguousStream", 437: "PermissionDenied", 501: "NotSupported"}
    genuine = GENUINE.BTRDB_ERRORS.get(code)
    if code in ours:
        expected = ours[code]
    elif genuine is not None:
        expected = genuine.__name__
    else:
        expected = "BTRDBServerError" if code in GENUINE.BTRDB_SERVER_ERRORS else "BTrDBError"
    assert type(error).__name__ == expected
    assert error.code == code
    assert error.retryable == (code in (405, 419, 426))
    assert "why" in str(error)


def test_every_genuine_name_exists() -> None:
    for name, genuine in vars(GENUINE).items():
        if isinstance(genuine, type) and issubclass(genuine, GENUINE.BTrDBError):
            ours = getattr(errors, name)
            assert issubclass(ours, FlowThingsError)
            for base in (builtins.ValueError, builtins.TypeError, builtins.FileNotFoundError):
                assert issubclass(ours, base) >= issubclass(genuine, base), (name, base)
            parents = {base.__name__ for base in genuine.__mro__ if base.__module__ == GENUINE.__name__}
            assert parents <= {base.__name__ for base in ours.__mro__}


@pytest.mark.parametrize("name", errors.__all__)
def test_errors_can_be_pickled(name: str) -> None:
    error = getattr(errors, name)("why")
    error.code = 499
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is type(error)
    assert (str(copied), copied.code) == (str(error), 499)


def test_a_text_with_a_code() -> None:
    found = status.error_from_text("[404] stream does not exist")
    assert type(found) is errors.StreamNotFoundError
    assert str(found) == "stream does not exist"
    assert status.error_from_text("stream does not exist") is None


def test_the_text_of_a_server_is_bounded() -> None:
    assert len(str(status.error_from(404, "x" * 10_000))) < 1000


def test_an_answer_with_a_status_is_raised() -> None:
    answer = v5api.NearestResponse(stat=v5api.Status(code=401, msg="no such point"))
    with pytest.raises(errors.NoSuchPoint, match="no such point"):
        status.read(v5api.NearestResponse, answer.SerializeToString())
    with pytest.raises(InvalidInput):
        status.check(answer)


def test_an_answer_that_is_no_message() -> None:
    with pytest.raises(InvalidResponse, match="NearestResponse"):
        status.read(v5api.NearestResponse, b"<html>")


def test_an_empty_status_is_success() -> None:
    answer = v5api.FlushResponse(stat=v5api.Status(), versionMajor=3)
    assert status.read(v5api.FlushResponse, answer.SerializeToString()).versionMajor == 3

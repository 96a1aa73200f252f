"""Answers, and the exceptions for their statuses."""

from __future__ import annotations

import pickle

import pytest

from flowthings_like.records import (
    ConnectionFailed,
    Disconnected,
    FlowThingsError,
    InvalidResponse,
    NoMemory,
    RecordsError,
    Response,
    ResponseAcq,
    ResponseGet,
    ResponseStatus,
    ResponseTooLarge,
    UnparseableEntity,
)

pytestmark = pytest.mark.once
S = ResponseStatus


def test_the_statuses_and_their_numbers() -> None:
    assert {each.name: int(each) for each in S} == {
        "OK": 0, "ERROR": -1, "DISCONNECTED": 128, "BAD_REQUEST": 129, "UNPARSEABLE_ENTITY": 130,
        "NO_MEMORY": 131,
    }  # fmt: skip


@pytest.mark.parametrize("status", S)
def test_only_ok_is_true(status: ResponseStatus) -> None:
    answers = Response(status), ResponseAcq(status), ResponseGet[bytes](status)
    for answer in (status, *answers):
        assert bool(answer) is answer.is_ok() is (status is S.OK)


def test_arguments_by_place_and_by_name() -> None:
    assert ResponseAcq(S.OK, 5) == ResponseAcq(status=S.OK, acq=5)
    assert ResponseGet(S.OK, 5, [b"a"]) == ResponseGet(status=S.OK, acq=5, data=[b"a"])  # type: ignore[list-item]
    empty: ResponseGet[bytes] = ResponseGet(S.ERROR)
    assert (empty.acq, empty.data, empty.skipped, empty.reason) == (-1, [], 0, "")
    match ResponseAcq(S.OK, 5):
        case ResponseAcq(status=S.OK, acq=acq):
            assert acq == 5


def test_they_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Response(S.OK).status = S.ERROR  # type: ignore[misc]


@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        (S.ERROR, (RecordsError,)),
        (S.BAD_REQUEST, (RecordsError,)),
        (S.DISCONNECTED, (Disconnected, ConnectionFailed, ConnectionError)),
        (S.UNPARSEABLE_ENTITY, (UnparseableEntity, InvalidResponse)),
        (S.NO_MEMORY, (NoMemory, ResponseTooLarge)),
    ],
)
def test_exceptions(status: ResponseStatus, kinds: tuple[type[Exception], ...]) -> None:
    with pytest.raises(RecordsError, match=f"what happened.*{status.name}") as caught:
        Response(status, reason="what happened").raise_for_status()
    for kind in (*kinds, FlowThingsError):
        assert isinstance(caught.value, kind)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy), copy.status) == (type(caught.value), str(caught.value), status)


def test_no_exception_for_ok() -> None:
    answer = ResponseAcq(S.OK, 5)
    assert answer.raise_for_status() is answer

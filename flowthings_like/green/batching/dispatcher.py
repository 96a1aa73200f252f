"""What becomes of a batch: one bulk request, or what it falls into when that is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowthings_like.errors import FlowThingsException, FlowThingsNotFound, InvalidInput, InvalidResponse

from ..calls.failure import FailedTogether, Lacking
from ..calls.future import Raised, as_cancelled
from ..calls.marks import ALONE
from ..calls.thunk import force
from .queue import KEY
from .sharing import Shared, duplicate

if TYPE_CHECKING:
    from ..calls.thunk import GreenThunk
    from .queue import Batch

__all__ = ["fail", "send"]

Positions = Sequence[int]
"""Which calls of a batch."""

NO_SUCH_METHOD = (405, 501)
PERHAPS_NO_SUCH_METHOD = (400, 404)
NOT_ABOUT_ONE_CALL = (401, 408, 425, 429)

_ABSENT: Any = object()


def send(batch: Batch) -> None:
    """Make the calls of a batch, and give each of their thunks its own value or its own failure."""
    everything = range(len(batch.thunks))
    try:
        _send(batch, everything)
    except BaseException as error:
        # Killed, timed out, Ctrl-C, or a fault: nobody is left waiting for what will not come.
        fail(batch, everything, as_cancelled(error))
        raise


def _send(batch: Batch, positions: Positions) -> None:
    lane = batch.lane
    if len(positions) == 1:
        _alone(batch, positions[0])
        return
    if lane.coalescer.has_bulk_form(lane) is False:
        _singly(batch, positions)
        return
    try:
        answer = batch.ask(positions)
    except InvalidInput:
        _take_apart(batch, positions)
    except FlowThingsException as error:
        _refused(batch, positions, error)
    except Exception as error:
        fail(batch, positions, error)
    else:
        lane.coalescer.learn_bulk_form(lane, True)
        _hand_out(batch, positions, answer)


def _refused(batch: Batch, positions: Positions, error: FlowThingsException) -> None:
    """The platform answered the bulk request with an error: whose is it?"""
    lane, status = batch.lane, error.status
    known = lane.coalescer.has_bulk_form(lane)
    if status in NO_SUCH_METHOD and not known:
        lane.coalescer.learn_bulk_form(lane, False)
        _singly(batch, positions)
    elif not 400 <= status < 500 or status in NOT_ABOUT_ONE_CALL:
        fail(batch, positions, error)
    elif status in PERHAPS_NO_SUCH_METHOD and not known:
        # A call that is wrong is wrong alone as well. If none is, the bulk form is what is not understood.
        if _singly(batch, positions):
            lane.coalescer.learn_bulk_form(lane, False)
    elif status in lane.form.whole:
        fail(batch, positions, error)
    else:
        _take_apart(batch, positions)


def _take_apart(batch: Batch, positions: Positions) -> None:
    """One of these calls was refused, and with it all. Nothing was changed; halve them until it stands alone.

    The halves go one after the other, so the order of writes stays.
    """
    middle = len(positions) // 2
    _send(batch, positions[:middle])
    _send(batch, positions[middle:])


def _singly(batch: Batch, positions: Positions) -> bool:
    """Make each call as if there were no batch; say whether all went well."""
    if batch.lane.form.writes:  # in their order
        went_well = [_alone(batch, position) for position in positions]
    else:
        start = batch.lane.coalescer.pool.start
        others = [start(_alone, batch, position) for position in positions]
        went_well = [other.settle()[0] for other in others]
    return all(went_well)


def _alone(batch: Batch, position: int) -> bool:
    """Make one call, as plain code would; say whether it went well."""
    lane = batch.lane
    method, args, kwargs = batch.made_alone(position)
    try:
        value = force(method(*args, **kwargs))
    except Exception as error:
        fail(batch, (position,), error)
        return False
    _close(batch, (position,))
    _give(batch, position, value)
    lane.coalescer.wake(batch, (position,))
    return True


def _hand_out(batch: Batch, positions: Positions, answer: Any) -> None:
    lane, thunks = batch.lane, batch.thunks
    in_order = lane.form.in_order or (lane.form.key is None and lane.form.entry is None)
    if lane.form.in_order and isinstance(answer, list) and len(answer) == len(positions):
        _hand_out_each(batch, positions, answer)
        return
    if in_order and isinstance(answer, list) and len(answer) == len(positions):
        _close(batch, positions)
        for position, value in zip(positions, answer, strict=True):
            thunk = thunks[position]
            thunk._value = value
            thunk._pending = None
    elif not in_order and isinstance(answer, Mapping):
        _close(batch, positions)
        sharing = batch.sharing
        for position in positions:
            thunk = thunks[position]
            value = answer.get(thunk._call[KEY], _ABSENT)
            if value is _ABSENT:
                _withhold(batch, position)
            elif position in sharing:
                _give(batch, position, value)
            else:  # what _give does, spelled out for what is done most
                thunk._value = value
                thunk._pending = None
    else:
        expected = f"a list of {len(positions)}" if in_order else "a map"
        what = f"the answer to {len(positions)} calls should be {expected}, not a {type(answer).__name__}"
        fail(batch, positions, InvalidResponse(f"{lane.form.method}: {what}"))
        return
    lane.coalescer.wake(batch, positions)


def _hand_out_each(batch: Batch, positions: Positions, answer: list[Any]) -> None:
    """Settle each call with its own value or failure; make those that were left over."""
    _close(batch, positions)
    settled, alone = [], []
    for position, value in zip(positions, answer, strict=True):
        if value is ALONE:
            alone.append(position)
        elif isinstance(value, Exception):
            fail(batch, (position,), value)
        else:
            _give(batch, position, value)
            settled.append(position)
    batch.lane.coalescer.wake(batch, settled)
    if alone:
        _singly(batch, alone)


def _give(batch: Batch, position: int, value: Any) -> None:
    """Settle a call's thunk, and those of its equals, each with a value of its own."""
    thunk, others = batch.thunks[position], batch.sharing.get(position)
    if others:
        own = duplicate(value)
        if len(others) == 1:
            _settle(batch, others[0], own)
        else:
            shared = Shared(own)
            for other in others:
                if other._pending is batch.lane.coalescer:
                    other._pending = shared
    _settle(batch, thunk, value)


def _settle(batch: Batch, thunk: GreenThunk, value: Any) -> None:
    if thunk._pending is batch.lane.coalescer:  # else it was failed, when a sender was killed
        thunk._value = value
        thunk._pending = None


def _withhold(batch: Batch, position: int) -> None:
    """The answer to all calls has nothing for this one."""
    make = getattr(batch.lane.service, "__api_missing__", _missing)
    for thunk in batch.everyone(position):
        thunk._pending = Lacking(make, thunk._call[KEY], thunk._call[:3])


def _missing(key: Any) -> Exception:
    return FlowThingsNotFound(f"the answer has nothing for {key!r}", status=404)


def fail(batch: Batch, positions: Positions, error: BaseException) -> None:
    """Fail those of these calls that have no result yet."""
    _close(batch, positions)
    coalescer = batch.lane.coalescer
    waiting = [
        thunk for position in positions for thunk in batch.everyone(position) if thunk._pending is coalescer
    ]
    if waiting:
        failed = FailedTogether(Raised.caught(error), waiting[0]._call[:3], len(waiting))
        for thunk in waiting:
            thunk._pending = failed
    coalescer.wake(batch, positions)


def _close(batch: Batch, positions: Positions) -> None:
    """Nothing shares this batch from here on; and what it wrote is written, before anybody learns of it."""
    lane = batch.lane
    lane.coalescer.close(batch)
    if lane.form.writes:
        for place, key in batch.written(positions):
            lane.coalescer.writes.note(place, key)

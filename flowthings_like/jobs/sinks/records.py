"""RecordsSink: rows become binary records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...errors import FlowThingsError, InvalidInput
from ...services.records.needed import needed
from ...services.records.timestamp import EPOCH_NS
from ...wire.tstorage.record import FIELDS, Key
from ..times import check_unit, nanoseconds
from .base import Delivery, Outcome, Run, Sink, refuse_all, unknown_column

if TYPE_CHECKING:
    from ...services.records.payload_types import PayloadType
    from ...services.records.record_calls import RecordCalls
    from ..table import Refuse, Table

__all__ = ["RecordsSink"]

Place = str | int


class RecordsSink(Sink):
    """Puts a record for each row.

    A store keeps two records with equal keys both. So a load with a checkpoint gives the records of a batch
    the same `acq`, by which it finds out whether the batch is stored, and uses `puta`.

    Args:
        channel: `api.record(payload_type)`, or a channel of `flowthings_like.records`.
        cid, mid, moid: the column with the number, or one number for all.
        cap: the column with the time of measurement.
        values: the columns of the payload, in the order of the payload type's values. One column of payloads
            that are bytes or one value; several for a TuplePayloadType.
        time_unit: of times that are numbers, since 1970: "s", "ms", "us" or "ns".

    Raises:
        InvalidInput: an argument cannot be used.
    """

    noun = "records"
    batch = 20_000

    def __init__(
        self,
        channel: RecordCalls[Any],
        *,
        cap: str,
        values: Sequence[str],
        cid: Place = 0,
        mid: Place = 0,
        moid: Place = 0,
        time_unit: str = "ns",
    ) -> None:
        with needed("a load"):
            from ...services.records.record_batch import RecordBatch
        for name, place in (("cid", cid), ("mid", mid), ("moid", moid)):
            lowest, highest = FIELDS[name]
            if not isinstance(place, str) and not lowest <= place <= highest:
                raise InvalidInput(f"{name} is {place}; give {lowest} to {highest}, or the name of a column")
        self._make_batch = RecordBatch
        self._channel = channel
        self._numbers: dict[str, Place] = {"cid": cid, "mid": mid, "moid": moid}
        self._cap = cap
        if isinstance(values, str) or not values:
            raise InvalidInput(f"values are {values!r}; give the names of the columns of the payload")
        self._values = list(values)
        self._unit = check_unit(time_unit)
        self._more = {"cap": cap, "values": self._values, "time_unit": time_unit, **self._numbers}

    def settings(self) -> dict[str, Any]:
        return {"records": repr(self._channel.payload_type), **self._more}

    def check(self, names: Sequence[str], run: Run) -> None:
        needed_names = [place for place in self._numbers.values() if isinstance(place, str)]
        for name in [*needed_names, self._cap, *self._values]:
            if name not in names:
                raise unknown_column(name, names, "records")

    def prepare(self, table: Table, run: Run, refuse: Refuse) -> list[Delivery]:
        reasons: dict[int, str] = {}
        columns: dict[str, Any] = {name: self._integers(table, name, reasons) for name in self._numbers}
        unit = run.time_units.get(self._cap, self._unit)
        times = nanoseconds(table.column(self._cap), unit, reasons, self._cap)
        columns["cap"] = [time - EPOCH_NS for time in times]
        lowest, highest = FIELDS["cap"]
        for place, cap in enumerate(columns["cap"]):
            if not lowest <= cap <= highest:
                reasons.setdefault(place, f"column {self._cap!r}: no record can have this time")
        payload = self._payloads(table, reasons)
        refuse_all(table, reasons, refuse)
        wanted = [place for place in range(len(table)) if place not in reasons]
        if not wanted:
            return []
        chosen = {name: [column[place] for place in wanted] for name, column in columns.items()}
        acq = run.began - EPOCH_NS + table.numbers[0]
        made = self._make_batch(
            **chosen,
            acq=acq if run.is_resumable else -1,
            payload=[payload[place] for place in wanted],
            payload_type=self._channel.payload_type,
        )
        return [Delivery(None, made, [table.numbers[place] for place in wanted])]

    def _integers(self, table: Table, field: str, reasons: dict[int, str]) -> list[int]:
        place = self._numbers[field]
        if not isinstance(place, str):
            return [place] * len(table)
        lowest, highest = FIELDS[field]
        found = []
        for number, cell in enumerate(table.values(place)):
            if type(cell) is int and lowest <= cell <= highest:
                found.append(cell)
            else:
                found.append(0)
                reasons.setdefault(number, f"column {place!r}: {cell!r} is not a number for {field}")
        return found

    def _payloads(self, table: Table, reasons: dict[int, str]) -> list[Any]:
        columns = [table.values(name) for name in self._values]
        payload_type: PayloadType[Any] = self._channel.payload_type
        found = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
        if len(columns) == 1 and type(payload_type).__name__ == "TuplePayloadType":
            found = [(value,) for value in found]
        for number, value in enumerate(found):
            try:
                payload_type.to_bytes(value)
            except Exception as error:  # a payload type may raise anything
                reasons.setdefault(number, f"the payload {value!r} cannot be packed: {error}")
        return found

    def deliver(self, delivery: Delivery, run: Run) -> Outcome:
        batch, outcome = delivery.items, Outcome(len(delivery.items))
        if run.is_repeated and self._is_stored(batch, run):
            outcome.calls = 1
            return outcome
        run.wait()
        put = self._channel.puta if run.is_resumable else self._channel.put
        answer = put(batch)
        if not answer:
            raise FlowThingsError(f"records cannot be put: {answer.status.name}: {answer.reason}")
        outcome.calls += 1
        return outcome

    def _is_stored(self, batch: Any, run: Run) -> bool:
        """Whether the store has the first record of a batch. A put is stored whole, or not at all."""
        key = batch[0].key
        run.wait()
        answer = self._channel.get(key, Key(*(field + 1 for field in key)))
        if not answer:
            raise FlowThingsError(f"records cannot be got: {answer.status.name}: {answer.reason}")
        return bool(len(answer.data))

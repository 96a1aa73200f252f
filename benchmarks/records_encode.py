"""Binary records: encoding a put of a million records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks import Target
from benchmarks._records import columns, floats, objects, rate
from benchmarks._records_one_by_one import Float, encode_put
from benchmarks._records_one_by_one import Key as PlainKey
from benchmarks._records_one_by_one import Record as PlainRecord
from flowthings_like.wire.tstorage.layout import Form
from flowthings_like.wire.tstorage.put_encoder import encode_columns, encode_records

TITLE = "binary records: 1,000,000 records with 8 bytes encoded for a put"
UNIT = "records/s of CPU time"
PEER = "one by one"


def of_columns(form: Form, cids: int = 1, payload: str = "<f8") -> Callable[[Path], float]:
    def measure(_folder: Path) -> float:
        records = columns(cids, payload)
        return rate(lambda: sum(map(len, encode_columns(form, records))))

    return measure


def of_objects(form: Form) -> Callable[[Path], float]:
    def measure(_folder: Path) -> float:
        records = objects()
        return rate(lambda: sum(map(len, encode_records(form, floats(records)))))

    return measure


def one_by_one(_folder: Path) -> float:
    records = objects(PlainKey, PlainRecord)
    return rate(lambda: sum(map(len, encode_put(records, Float()))))


CONTENDERS = {
    PEER: one_by_one,
    "PUT, columns": of_columns(Form.PUT),
    "PUTA, columns": of_columns(Form.PUTA),
    "PUT, columns, 100 cids": of_columns(Form.PUT, 100),
    "PUT, columns, 100 bytes": of_columns(Form.PUT, 1, "V100"),
    "PUT, records": of_objects(Form.PUT),
    "PUTA, records": of_objects(Form.PUTA),
}
TARGETS = [
    Target("PUT, columns", at_least=60_000_000),
    Target("PUT, records", at_least=3_000_000),
]

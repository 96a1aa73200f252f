"""The store against a list of records, with generated keys, payloads and boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from flowthings_like.platform.records.node import Node

from .raw_client import (
    END,
    I32_MAX,
    I32_MIN,
    I64_MAX,
    I64_MIN,
    Key,
    RawClient,
    Stored,
    batch,
    header,
)

LONG = some.sampled_from([I64_MIN, I64_MIN + 1, -1, 0, 1, 2, I64_MAX - 1, I64_MAX])
INT = some.sampled_from([I32_MIN, I32_MIN + 1, -1, 0, 1, 2, I32_MAX - 1, I32_MAX])
CID = some.sampled_from([0, 1, 2, I32_MAX - 1, I32_MAX])
PAYLOAD = some.one_of(
    some.binary(max_size=26), some.sampled_from([b"x" * 24, b"y" * 25, b"\0" * 9, b"z" * 300])
)
RECORD = some.builds(Stored, CID, LONG, INT, LONG, LONG, PAYLOAD)
KEY = some.tuples(CID, LONG, INT, LONG, LONG)


def is_in(record: Stored, low: Key, high: Key) -> bool:
    return all(least <= number < limit for least, number, limit in zip(low, record, high, strict=False))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    node = Node(Path(tmp_path_factory.mktemp("records")), "127.0.0.1", 0)
    yield node.addresses[0]
    node.close()


stored: list[Stored] = []


@settings(max_examples=60)
@given(
    puts=some.lists(some.lists(RECORD, max_size=12), max_size=3),
    boxes=some.lists(some.tuples(KEY, KEY), min_size=1, max_size=4),
)
def test_boxes_find_what_a_list_finds(
    address: tuple[str, int], puts: list[list[Stored]], boxes: list[tuple[Key, Key]]
) -> None:
    with RawClient(address) as client:
        for records in puts:
            by_cid = {record.cid for record in records}
            batches = (batch(cid, [each for each in records if each.cid == cid], True) for cid in by_cid)
            client.send(header(6) + b"".join(batches) + END)
            assert client.put_reply() == (-1, -1)
            stored.extend(records)
        for one, other in boxes:
            low: Key = tuple(map(min, one, other))  # type: ignore[assignment]
            high: Key = tuple(map(max, one, other))  # type: ignore[assignment]
            if any(least >= limit for least, limit in zip(low, high, strict=True)) or low[4] == I64_MAX - 1:
                continue
            found, acq = client.get(low, high)
            visible = (*high[:4], acq)  # the horizon trims the box
            assert sorted(found) == sorted(each for each in stored if is_in(each, low, visible))

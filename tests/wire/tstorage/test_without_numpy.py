"""Where numpy is not installed, keys and payloads are read and written all the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.once

PROGRAM = """
import sys
sys.modules["numpy"] = None  # importing it fails

from flowthings_like.wire.tstorage.get_reader import GetReader
from flowthings_like.wire.tstorage.layout import Form
from flowthings_like.wire.tstorage.outcome import Completed
from flowthings_like.wire.tstorage.put_encoder import KeysAndPayloads, encode_records
from flowthings_like.wire.tstorage.record import Key
from flowthings_like.wire.tstorage.replies import ACCEPTED, end_of_records
from flowthings_like.wire.tstorage.requests import PutPiece, RequestReader
import struct

for sizes in ([4] * 500, [number % 7 for number in range(500)]):
    keys = [Key(number // 100, number, 0, number * 1000, 5) for number in range(500)]
    payloads = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    events = []
    reader = RequestReader()
    for buffer in encode_records(Form.PUTA, [KeysAndPayloads(keys, payloads)]):
        events += reader.feed(buffer)
    blocks = [event.block for event in events if isinstance(event, PutPiece)]
    assert [key for block in blocks for key in block.keys()] == keys
    assert [payload for block in blocks for payload in block.payloads()] == payloads

    get = GetReader()
    get.feed(ACCEPTED)
    for key, payload in zip(keys, payloads):
        get.feed(struct.pack("<i", 32 + len(payload)) + key.to_bytes() + payload)
    get.feed(end_of_records(7))
    block = get.take()
    assert get.outcome == Completed(7, 7)
    assert block.keys() == keys
    assert block.payloads() == payloads
print("the same")
"""


def test_records_without_numpy() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("the same\n", "")


def test_numpy_is_not_imported_for_a_few_records() -> None:
    program = PROGRAM.replace('sys.modules["numpy"] = None', "").replace("500", "50")
    program += 'assert "numpy" not in sys.modules'
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("the same\n", "")

"""The names, arguments and defaults of TStorage's own Python client, and programs as its page has them."""

from __future__ import annotations

import inspect
import ssl
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API, records
from flowthings_like.records import (
    AsyncChannel,
    BytesPayloadType,
    Channel,
    GetCallback,
    Key,
    PayloadType,
    Record,
    RecordsSet,
    Response,
    ResponseAcq,
    ResponseGet,
    ResponseStatus,
    StructPayloadType,
    Tstoragedatetime,
    TuplePayloadType,
    from_unix_ns,
    now_ns,
    to_unix_ns,
)
from tests.transport.records.scripted import Scripted, records_server

from .model import Model

RANGE = {"key_min": ..., "key_max": ...}
ANY_RANGE = dict.fromkeys(RANGE)  # they may be left out where a filter says which keys are wanted
BUFFER = {"recv_buffer_size": 65536}
PUT = {"data": ..., "max_batch_size": 2147483647, "skip_invalid": False}

# Of each name, the arguments with their defaults, in order.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Channel": {
        "host": ..., "port": ..., "payload_type": ..., "timeout": None, "memory_limit": None,
        "ssl_context": None,
    },
    "AsyncChannel": {
        "host": ..., "port": ..., "payload_type": ..., "memory_limit": None, "ssl_context": None,
    },
    **{
        f"{kind}.{name}": arguments
        for kind in ("Channel", "AsyncChannel")
        for name, arguments in {
            "connect": {}, "close": {}, "put": PUT, "puta": PUT, "get_acq": RANGE,
            "get": {**ANY_RANGE, **BUFFER}, "get_iter": {**ANY_RANGE, **BUFFER},
            "get_stream": {**RANGE, "callback": ..., **BUFFER},
        }.items()
    },
    "BytesPayloadType": {}, "UnitPayloadType": {}, "StructPayloadType": {"format": ...},
    "TuplePayloadType": {"format": ...}, "NumpyPayloadType": {"dtype": ...},
    **{
        f"{kind}.{name}": arguments
        for kind in ("PayloadType", "BytesPayloadType", "StructPayloadType", "TuplePayloadType")
        for name, arguments in {"from_bytes": {"buffer": ...}, "to_bytes": {"value": ...}}.items()
    },
    "Key": {"cid": -1, "mid": -1, "moid": -1, "cap": -1, "acq": -1},
    "Key.bytes_count": {}, "Key.valid": {}, "Key.to_bytes": {},
    "Record": {"key": ..., "value": ...},
    "Response": {"status": ...}, "ResponseAcq": {"status": ..., "acq": -1},
    "Response.is_ok": {}, "ResponseStatus.is_ok": {},
    "Tstoragedatetime": {"datetime": ..., "nanoseconds": ...},
    **{
        f"Tstoragedatetime.{way}_{unit}": {"timestamp": ...} if way == "from" else {}
        for way in ("from", "to") for unit in ("unix", "unix_ns", "tstorage", "tstorage_ns")
    },
    **{name: {"timestamp": ...} for name in ("from_unix", "from_unix_ns", "to_unix", "to_unix_ns")},
    "now": {}, "now_ns": {},
}  # fmt: skip


@pytest.mark.once
@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_and_defaults(name: str) -> None:
    found: Any = records
    for part in name.split("."):
        found = getattr(found, part)
    parameters = inspect.signature(found).parameters.values()
    arguments = {
        each.name: ... if each.default is each.empty else each.default
        for each in parameters
        if each.name not in ("self", "_cls") and each.kind is each.POSITIONAL_OR_KEYWORD
    }
    assert arguments == ARGUMENTS[name]
    assert list(arguments) == list(ARGUMENTS[name])


@pytest.mark.once
def test_all_names() -> None:
    mentioned = {name.partition(".")[0] for name in ARGUMENTS}
    others = {"GetCallback", "RecordsSet", "ResponseGet", "ResponseStatus", "PayloadType"}
    assert mentioned | others <= set(records.__all__)
    assert sorted(records.__all__) == sorted(set(records.__all__))
    assert all(hasattr(records, name) for name in records.__all__)


@pytest.mark.once
def test_keys() -> None:
    key = Key(1, 2, 3, 4, 5)
    sizes = [len(key.to_bytes(with_cid=cid, with_acq=acq)) for cid in (True, False) for acq in (True, False)]
    assert sizes == [32, 24, 28, 20]
    assert Key.from_bytes(key.to_bytes()) == key
    assert Key.bytes_count() == 32
    assert (Key().valid(), Key.min().valid(), Key.max().valid()) == (False, True, True)
    assert Key.min() < key < Key.max()
    assert {Record(key, b"a"): 1}[Record(Key(1, 2, 3, 4, 5), b"a")] == 1
    assert sorted([Record(key, 2), Record(key, 1)]) == [Record(key, 1), Record(key, 2)]
    with pytest.raises(AttributeError):
        key.cid = 7  # type: ignore[misc]


def test_a_program_with_a_channel(server: Scripted) -> None:
    channel: Channel[float] = Channel(server.host, server.port, StructPayloadType("<d"), timeout=10.0)
    response = channel.connect()
    if not response.is_ok():
        raise AssertionError(response.status)
    data = [Record(Key(cid=1, mid=place, moid=1, cap=now_ns(), acq=0), place / 2) for place in range(5)]
    assert channel.put(data).status is ResponseStatus.OK
    acq = channel.get_acq(Key.min(), Key.max())
    assert isinstance(acq, ResponseAcq)
    got = channel.get(Key.min(), Key.max())
    assert isinstance(got, ResponseGet)
    assert got
    assert got.acq == acq.acq
    for record in got.data:
        moment = Tstoragedatetime.from_tstorage_ns(record.key.cap)
        assert moment.to_unix_ns() == to_unix_ns(record.key.cap)
        assert from_unix_ns(moment.to_unix_ns()) == record.key.cap
    assert [record.value for record in got.data] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert channel.close() == Response(ResponseStatus.OK)


def test_a_program_with_an_async_channel(server: Scripted) -> None:
    """As it is after `await` and `async` are deleted: loops, blocks and calls."""
    payload_type = TuplePayloadType("<dI")
    with AsyncChannel(server.host, server.port, payload_type, 1 << 20) as channel:
        assert channel.memory_limit == 1 << 20
        assert channel.timeout is None
        response = channel.puta([Record(Key(1, 2, 3, 4, 5), (0.5, 7))])
        assert response.is_ok()
        for item in channel.get_iter(Key.min(), Key.max()):
            match item:
                case Record(key, value):
                    assert (key, value) == (Key(1, 2, 3, 4, 5), (0.5, 7))
                case ResponseAcq(status=status):
                    assert status.is_ok()

        seen: list[Record[tuple[Any, ...]]] = []

        def callback(records: RecordsSet[tuple[Any, ...]]) -> None:
            seen.extend(records)

        given: GetCallback[tuple[Any, ...]] = callback
        assert channel.get_stream(Key.min(), Key.max(), given).is_ok()
        assert seen == [Record(Key(1, 2, 3, 4, 5), (0.5, 7))]
    assert not channel.is_connected


def test_a_payload_type_of_ones_own(server: Scripted) -> None:
    class Text(PayloadType[str]):
        def to_bytes(self, value: str) -> bytes:
            return value.encode()

        def from_bytes(self, buffer: bytes) -> str | None:
            try:
                return buffer.decode()
            except UnicodeDecodeError:
                return None

    with Channel(server.host, server.port, Text()) as channel:
        assert channel.put([Record(Key(1, 2, 3, 4), "ä"), Record(Key(1, 3, 3, 4), "bc")])
        assert [record.value for record in channel.get(Key.min(), Key.max()).data] == ["ä", "bc"]


def test_tls(certificate: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with records_server(Model().answer, certificate) as server:
        with Channel(server.host, server.port, BytesPayloadType(), 20.0, None, context) as channel:
            assert channel.put([Record(Key(1, place, 3, 4), bytes(1000)) for place in range(3000)])
            assert len(channel.get(Key.min(), Key.max()).data) == 3000
            assert len(list(channel.get_iter(Key.min(), Key.max()))) == 3001
        untrusting = Channel(
            server.host, server.port, BytesPayloadType(), 20.0, ssl_context=ssl.create_default_context()
        )
        answer = untrusting.connect()
        assert (answer.status, "certificate" in answer.reason.lower()) == (ResponseStatus.ERROR, True)


def test_against_the_embedded_store(tmp_path: Path) -> None:
    with API.embedded(tmp_path) as api:
        host, port = api.record.address()
        with Channel(host, port, StructPayloadType("<d")) as channel:
            assert channel.put([Record(Key(1, 2, 3, 4), 39.02)])
            assert [record.value for record in channel.get(Key.min(), Key.max()).data] == [39.02]

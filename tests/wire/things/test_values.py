"""Values as MessagePack: both decoders agree, and what cannot be packed is refused before it is sent."""

from __future__ import annotations

import enum
import gc
import re
from datetime import date, datetime, time, timedelta, timezone
from types import MappingProxyType
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.wire.things import errors as things_errors
from flowthings_like.wire.things import values as things
from flowthings_like.wire.things.values import UnpackError, pack, unpack
from tests.wire.things import strategies

msgspec = pytest.importorskip("msgspec")


class Colour(enum.IntEnum):
    RED = 1


class Later:
    """Stands for a value that `default` knows how to get, as a GreenThunk does."""

    def __init__(self, value: Any) -> None:
        self.value = value


def now(other: Any) -> Any:
    while isinstance(other, Later):
        other = other.value
    return other


@pytest.mark.once
@given(strategies.values)
def test_round_trip(value: Any) -> None:
    assert unpack(pack(value)) == value


@given(strategies.values)
def test_the_genuine_client_packs_the_same(value: Any) -> None:
    assert pack(value) == msgpack.packb(value, use_bin_type=True)


@pytest.mark.once
@given(
    st.recursive(strategies.scalars, lambda inner: st.dictionaries(strategies.scalars, inner), max_leaves=9)
)
def test_keys_of_any_type_are_read_alike_by_both_decoders(value: Any) -> None:
    packed = pack(value)
    assert things._decode(packed) == things._decode_with_msgpack(packed) == value


@pytest.mark.once
@given(strategies.values, st.data())
def test_both_decoders_agree_about_broken_bodies(value: Any, data: st.DataObject) -> None:
    body = bytearray(pack(value))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(things._decode, bytes(body)) == outcome(things._decode_with_msgpack, bytes(body))


def outcome(decode: Any, body: bytes) -> str:
    """What came out, in a form in which NaN is NaN. Two things that no node sends are left out: a list as a
    key, which only msgspec reads, as a tuple, and the last digit of a timestamp's microseconds."""
    try:
        found = repr(decode(body))
    except Exception:
        return "refused"
    return "refused" if "(" in LITERAL.sub("", found) else found


LITERAL = re.compile(r"""b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*"|datetime\.[^)]*\)""")


def test_tuples_arrive_as_lists_and_other_mappings_as_dicts() -> None:
    assert unpack(pack((1, (2, MappingProxyType({"a": (3,)}))))) == [1, [2, {"a": [3]}]]


def test_numbers_and_texts_with_names_travel_as_what_they_are() -> None:
    assert unpack(pack([Colour.RED, True, bytearray(b"x"), memoryview(b"y")])) == [1, True, b"x", b"y"]


def test_default_stands_in_for_values_that_are_on_their_way() -> None:
    on_its_way = {
        "a": Later([1, Later("x")]),
        "b": Later(Later(None)),
        "c": Later(Colour.RED),
        "d": Later(2.5),
    }
    assert unpack(pack(on_its_way, now)) == {"a": [1, "x"], "b": None, "c": 1, "d": 2.5}


@pytest.mark.parametrize("error", [ValueError("x"), TypeError("x"), OverflowError("x"), KeyError("x")])
def test_what_default_raises_is_passed_on_as_it_is(error: Exception) -> None:
    cause = RuntimeError("why")

    def fail(_other: Any) -> Any:
        raise error from cause

    with pytest.raises(type(error)) as caught:
        pack([object()], fail)
    assert caught.value is error
    assert error.__cause__ is cause


def test_an_interrupt_in_default_goes_through() -> None:
    def interrupt(_other: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack([object()], interrupt)


@pytest.mark.parametrize(
    "number", [2**63, 2**64 - 1, 2**64, -(2**63) - 1, 1 << 20_000, -(1 << 20_000)], ids=int.bit_length
)
@pytest.mark.parametrize("wrap", [lambda n: n, lambda n: {"a": [1, {"b": n}]}, Later, lambda n: {n: 1}])
def test_integers_beyond_64_bits_are_refused(number: int, wrap: Any) -> None:
    with pytest.raises(things_errors.OverflowError, match="does not fit 64 bits") as caught:
        pack(wrap(number), now)
    assert caught.value.error_code == -59


def test_bytes_that_only_look_like_a_wide_integer_are_sent() -> None:
    look_alike = [b"\xcf\xff" * 50, 2**63 - 1, -(2**63), "\ud7ff\u03ff", 1.5, {"a": None, 7: True}]
    assert unpack(pack(look_alike)) == look_alike


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (datetime(2026, 1, 2, tzinfo=timezone.utc), r"datetime has no form .* int\(when\.timestamp\(\)\)"),
        (date(2026, 1, 2), r"date has no form .* datetime\(when\)"),
        (time(1), r"time has no form .* send when.isoformat"),
        (timedelta(1), "timedelta has no form .* total_seconds"),
        ({1}, r"a: set has no form .* a list, and write set\("),
        (frozenset({1}), "frozenset has no form .* a list"),
        (1j, "complex has no form .* plain values"),
        (object(), "object has no form"),
    ],
)
def test_what_has_no_form_is_refused_with_what_to_write(value: Any, advice: str) -> None:
    for default in (None, now):
        with pytest.raises(things_errors.TypeError, match=advice):
            pack(["@t", "code", {"a": value}], default)


def test_texts_that_are_none_and_endless_nesting_are_refused() -> None:
    with pytest.raises(things_errors.ValueError, match="lone surrogate"):
        pack({"a": "\ud800"})
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(things_errors.ValueError, match="recursion"):
        pack(endless)


@pytest.mark.parametrize("decode", ["msgspec", "msgpack"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xa2\xff\xfe",
        b"\x81\xa2\xff\xfe\x01",
        b"\x01\x02",
        b"\x92\x01",
        b"\xc1",
        b"\xd4\x05a",
        b"\xc7\x03\x00abc",
        b"\x81\x80\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\x91" * 100_000,
    ],
    ids=lambda body: body[:8].hex() or "empty",
)
def test_bodies_that_are_not_one_value_are_refused(
    body: bytes, decode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if decode == "msgpack":
        monkeypatch.setattr(things, "_decode", things._decode_with_msgpack)
    with pytest.raises(UnpackError, match=f"a body of {len(body)} bytes cannot be unpacked: "):
        unpack(body)


def test_a_timestamp_is_read_alike_by_both_decoders() -> None:
    expected = datetime(1970, 1, 1, 0, 0, 1, tzinfo=timezone.utc)
    assert unpack(b"\xd6\xff\x00\x00\x00\x01") == expected
    assert things._decode_with_msgpack(b"\xd6\xff\x00\x00\x00\x01") == expected


def test_a_refused_body_stays_out_of_the_error() -> None:
    with pytest.raises(UnpackError) as caught:
        unpack(b"\xa9secret\xff\xff\xff")
    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize("collecting", [True, False])
def test_a_large_body_leaves_the_collector_as_it_was(collecting: bool) -> None:
    things_of_it = [{"#": number, "tags": ["a"]} for number in range(10_000)]
    body = pack(things_of_it)
    was = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        assert unpack(body) == things_of_it
        with pytest.raises(UnpackError):
            unpack(body[:-1])
        assert gc.isenabled() == collecting
    finally:
        (gc.enable if was else gc.disable)()

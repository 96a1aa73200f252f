"""Values of numpy, pandas and decimal: taken exactly, or refused with their place in the data."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from flowthings_like import API, InvalidInput, JSONEncoder, P, Token, force, mem
from flowthings_like.wire.things.values import pack, unpack

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")

ROWS = 5_000
ROW = 3_210
NOON = datetime(2024, 1, 2, 12, tzinfo=timezone.utc)
MS = int(NOON.timestamp() * 1000)

TAKEN = [
    (np.float64(1.5), 1.5),
    (np.float64(0.1), 0.1),
    (np.float32(0.1), float(np.float32(0.1))),
    (np.float16(2.5), 2.5),
    (np.longdouble(0.5), 0.5),
    (np.int8(-5), -5),
    (np.int64(2**53 + 1), 2**53 + 1),
    (np.uint64(2**63 - 1), 2**63 - 1),
    (np.bool_(True), True),
    (np.str_("text"), "text"),
    (np.bytes_(b"text"), "text"),
    (np.datetime64("2024-01-02T12:00:00.000000000"), MS),
    (np.datetime64("2024-01-02T12"), MS),
    (np.datetime64("1969-12-31T23:59:59.999500"), -1),
    (pd.Timestamp("2024-01-02T12:00:00Z"), MS),
    (pd.Timestamp("2024-01-02T12:00:00"), MS),
    (pd.Series([1.25])[0], 1.25),
]
REFUSED = [
    (pd.NaT, r"is NaT, a missing value; leave it out, or make the API with encoder=JSONEncoder\("),
    (np.datetime64("NaT", "s"), "is NaT, a missing value"),
    (np.timedelta64("NaT", "s"), "is NaT, a missing value"),
    (pd.NA, "is <NA>, a missing value"),
    (math.nan, "is nan, which JSON cannot say; leave it out, or make"),
    (np.float64("nan"), "is nan, which JSON cannot say; leave it out"),
    (np.float32("nan"), "is nan, which JSON cannot say; leave it out"),
    (np.float64("inf"), "is inf, which JSON cannot say$"),
    (np.longdouble(1) / 3, "is a longdouble, which has no form in JSON"),
    (np.complex128(1j), "is a complex128, which has no form in JSON"),
    (np.timedelta64(5, "s"), "is a timedelta64, which has no form in JSON"),
    (np.array([1, 2]), r"is a ndarray, which has no form in JSON; write its tolist\(\)"),
    (pd.Series([1, 2]), r"is a Series, which has no form in JSON; write its tolist\(\)"),
    (pd.Timedelta(5, "s"), r"is a Timedelta, which has no form in JSON; write its total_seconds\(\)"),
    (timedelta(5), r"is a timedelta, which has no form in JSON; write its total_seconds\(\)"),
    (Decimal("1.5"), r"is a Decimal, which has no form in JSON; write float\(…\) or str\(…\)"),
]
MISSING = [pd.NaT, pd.NA, np.datetime64("NaT", "s"), math.nan, np.float64("nan"), np.float32("nan")]


def named(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"[:40]


def rows(value: Any) -> list[dict[str, Any]]:
    """Many drops, of which one holds that value."""
    drops: list[dict[str, Any]] = [{"elems": {"temp": float(n), "gust": None}} for n in range(ROWS)]
    drops[ROW]["elems"]["temp"] = value
    return drops


@pytest.mark.once
@pytest.mark.parametrize(("value", "arrives"), TAKEN, ids=map(named, (value for value, _ in TAKEN)))
def test_a_value_that_json_says_exactly_is_taken(value: Any, arrives: Any, flowthings_platform: API) -> None:
    flowthings_platform.flow.create({"path": "/acme/a"})
    drops = flowthings_platform.drop("/acme/a")
    drops.create({"elems": {"temp": value, "list": [value]}})
    (drop,) = drops.find(mem.elems.temp == value)
    assert drop["elems"] == {"temp": arrives, "list": [arrives]}
    assert type(drop["elems"]["temp"]) is type(arrives)


@pytest.mark.once
@pytest.mark.parametrize(("value", "said"), REFUSED, ids=map(named, (value for value, _ in REFUSED)))
def test_what_is_refused_is_named_with_its_row_and_element(value: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^data\[{ROW}\]\.elems\.temp {said}"):
        JSONEncoder().dumps(rows(value))


@pytest.mark.once
@pytest.mark.parametrize("value", MISSING, ids=map(named, MISSING))
def test_missing_values_are_null_where_that_is_asked_for(value: Any, tmp_path: Any) -> None:
    with API.embedded(tmp_path, encoder=JSONEncoder(missing_as_null=True)) as api:
        api.flow.create({"path": "/acme/a"})
        drop = api.drop("/acme/a").create({"elems": {"temp": value, "list": [value, 1]}})
        assert drop["elems"] == {"temp": None, "list": [None, 1]}


def test_an_infinity_is_no_missing_value() -> None:
    with pytest.raises(InvalidInput, match=r"^data\[3210\]\.elems\.temp is inf"):
        JSONEncoder(missing_as_null=True).dumps(rows(math.inf))


def test_a_key_of_numpys_is_refused_with_its_place() -> None:
    with pytest.raises(
        InvalidInput, match=r"^data\[0\]\.elems has the key .*keys must be str: write str\('a'\)"
    ):
        JSONEncoder().dumps([{"elems": {np.str_("a"): 1}}])


def test_a_whole_frame_goes_in_and_comes_back(flowthings_platform: API) -> None:
    frame = pd.DataFrame({"at": pd.date_range("2024-01-02", periods=50, freq="h"), "temp": np.arange(50.0)})
    flowthings_platform.flow.create({"path": "/acme/a"})
    flowthings_platform.drop("/acme/a").create_many([{"elems": row} for row in frame.to_dict("records")])
    back = flowthings_platform.drop("/acme/a").find(limit=100, sort="elems.temp", order="asc")
    again = pd.DataFrame([drop["elems"] for drop in back])
    assert (pd.to_datetime(again["at"], unit="ms") == frame["at"]).all()
    assert (again["temp"] == frame["temp"]).all()


@pytest.mark.parametrize("value", [pd.NaT, pd.NA, np.float64("nan"), np.timedelta64(1, "s")], ids=named)
def test_a_lazy_create_among_many_fails_alone(value: Any, flowthings_platform: API) -> None:
    flowthings_platform.flow.create({"path": "/acme/a"})
    lazy = flowthings_platform.lazy()
    thunks = [lazy.drop("/acme/a").create({"elems": {"n": value if n == 7 else n}}) for n in range(20)]
    for n, thunk in enumerate(thunks):
        if n == 7:
            with pytest.raises(InvalidInput, match=r"elems\.n is"):
                force(thunk)
        else:
            assert thunk["elems"]["n"] == n


@pytest.mark.parametrize("value", [pd.NaT, pd.NA, np.datetime64("NaT", "s")], ids=named)
def test_a_missing_value_is_neither_a_parameter_nor_compared_with(value: Any) -> None:
    api = API(Token("acme", "secret"), host="127.0.0.1:9", secure=False)
    with pytest.raises(InvalidInput, match=r"query parameter since is .*missing value"):
        api.flow.find(since=value)
    with pytest.raises(InvalidInput, match="missing value"):
        api.flow.find(params=P(since=value))
    with pytest.raises(InvalidInput, match="missing value"):
        mem.elems.at < value  # noqa: B015


@pytest.mark.parametrize(
    "value", [np.timedelta64(1, "s"), np.longdouble(1) / 3, np.complex128(1j)], ids=named
)
def test_a_filter_refuses_what_is_no_exact_value(value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"a {type(value).__name__} has no exact value"):
        mem.elems.a == value  # noqa: B015
    with pytest.raises(InvalidInput, match=f"a {type(value).__name__} has no exact value"):
        mem.elems.a.IN(1, value)


def test_numpy_scalars_are_parameters_and_operands() -> None:
    assert str(mem.elems.a == np.bool_(True)) == "elems.a == true"
    assert str(mem.elems.a.IN(*np.array([1, 2]))) == "elems.a IN [1,2]"
    assert str(mem.elems.a > np.float32(0.5)) == "elems.a > 0.5"
    assert str(mem.elems.at > np.datetime64("2024-01-02T12")) == str(mem.elems.at > NOON)


@pytest.mark.parametrize("rest", [False, True], ids=["natively", "by requests"])
def test_both_transports_take_the_same(rest: bool, flowthings_server: Any) -> None:
    with flowthings_server.api(transport="requests" if rest else "auto") as api:
        api.flow.create({"path": "/acme/a", "capacity": ROWS})
        assert api.drop("/acme/a").create({"elems": {"n": np.int64(5)}})["elems"] == {"n": 5}
        with pytest.raises(InvalidInput, match=r"^data\[3210\]\.elems\.temp is NaT"):
            api.drop("/acme/a").create_many(rows(pd.NaT))
        assert len(api.drop("/acme/a").find(limit=np.int64(5))) == 1


# MessagePack, for rooms and queries

EXACT = [case for case in TAKEN if not isinstance(case[0], np.datetime64 | pd.Timestamp | np.bytes_)]


@pytest.mark.once
@pytest.mark.parametrize(("value", "arrives"), EXACT, ids=map(named, (value for value, _ in EXACT)))
def test_a_query_takes_the_same_values(value: Any, arrives: Any) -> None:
    assert unpack(pack(["@t", "x;", {"rows": [{"temp": value}]}])) == [
        "@t",
        "x;",
        {"rows": [{"temp": arrives}]},
    ]


@pytest.mark.once
@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (pd.NaT, TypeError, "NaT is a missing value; send None, or leave it out"),
        (pd.NA, TypeError, "<NA> is a missing value; send None, or leave it out"),
        (np.timedelta64("NaT", "s"), TypeError, "NaT is a missing value; send None, or leave it out"),
        (np.complex128(1j), TypeError, "complex128 has no form in ThingsDB's protocol; send plain values"),
        (np.array([1]), TypeError, r"ndarray has no form in ThingsDB's protocol; write its tolist\(\)"),
        (Decimal("1"), TypeError, r"Decimal has no form in ThingsDB's protocol; write float\(…\) or str"),
        (NOON, TypeError, "datetime has no form in ThingsDB's protocol; send int"),
        (np.uint64(2**64 - 1), OverflowError, "18446744073709551615 does not fit 64 bits with a sign"),
        (2**63, OverflowError, "9223372036854775808 does not fit"),
        ("a\ud800", ValueError, "'a.ud800' is a str with a lone surrogate"),
    ],
    ids=lambda part: named(part) if not isinstance(part, str | type) else None,
)
def test_what_a_query_refuses_is_named_with_its_place(value: Any, error: type[Exception], said: str) -> None:
    variables = {"rows": [{"temp": n} for n in range(50)] + [{"temp": value}]}
    with pytest.raises(error, match=rf"rows\[50\]\.temp: {said}"):
        pack(["@t", "x;", variables])


@pytest.mark.once
def test_neither_library_is_imported_to_find_out() -> None:
    code = (
        "import sys, tempfile\n"
        "from flowthings_like import API, InvalidInput, mem\n"
        "api = API.embedded(tempfile.mkdtemp())\n"
        "api.flow.create({'path': '/acme/a'})\n"
        "try:\n    api.drop('/acme/a').create({'elems': {'a': float('nan')}})\n"
        "except InvalidInput as error:\n    print(error)\n"
        "api.things.query('x;', x=1, scope='@t')\n"
        "print([name for name in ('numpy', 'pandas') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr

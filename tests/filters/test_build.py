"""Filters from Python operators: the text of well-formed filters, and errors for everything else."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.errors import FlowThingsError, InvalidInput
from flowthings_like.filters import AGE, EXISTS, HAS, MATCHES, NOT, Filter, Typed, mem, nodes, parse

from .strategies import filters, shape

a, b, c = mem.a == 1, mem.b == 2, mem.c == 3

WRITTEN = [
    (mem.foo == 1, "foo == 1"),
    (mem["foo"] != 1, "foo != 1"),
    (mem.foo > 1, "foo > 1"),
    (mem.foo >= 1.5, "foo >= 1.5"),
    (mem.foo < -1, "foo < -1"),
    (mem.foo <= 1e22, "foo <= 1e+22"),
    (5 < mem.foo, "foo > 5"),  # noqa: SIM300
    (mem.foo == True, "foo == true"),  # noqa: E712
    (mem.foo == False, "foo == false"),  # noqa: E712
    (mem.foo == None, "foo == null"),  # noqa: E711
    (mem.foo == "x", "foo == 'x'"),
    (mem.foo == b"x", "foo == 'x'"),
    (mem.foo == mem.bar, "foo == bar"),
    (mem.foo == "it's", r"foo == 'it\'s'"),
    (mem.foo == "end\\", r"foo == 'end\\'"),
    (mem.foo == "a\nb\0", r"foo == 'a\nb\u0000'"),
    (mem.foo == [1, "x", None, {"k": [True]}], 'foo == [1,"x",null,{"k":[true]}]'),
    (mem.foo == {"b": 1, "a": (2,)}, 'foo == {"a":[2],"b":1}'),
    (mem.foo == Typed("ObjectId", "5f"), "foo == ObjectId('5f')"),
    (mem.foo < Typed("Date", 5), "foo < Date(5)"),
    (mem.foo == Decimal("2.50"), "foo == 2.5"),
    (mem.foo == Decimal("3"), "foo == 3"),
    (mem.foo == Decimal("1E+30"), "foo == 1e+30"),
    (mem.foo == Fraction(1, 2), "foo == 0.5"),
    (mem.foo > dt.datetime(1970, 1, 1, 0, 0, 1, 500), "foo > 1000"),
    (mem.foo > dt.datetime(1970, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))), "foo > 0"),
    (mem.foo > dt.datetime(1969, 12, 31, 23, 59, 59, 999999), "foo > -1"),
    (mem.foo > dt.date(1970, 1, 2), "foo > 86400000"),
    (mem.foo.re("/foo", "i"), r"foo =~ /\/foo/i"),
    (mem.foo.re(r"\/foo"), r"foo =~ /\/foo/"),
    (mem.foo.re(r"\\/"), r"foo =~ /\\\//"),
    (mem.foo.re("[/\n]"), r"foo =~ /[\/\n]/"),
    (mem.foo.re(re.compile("x", re.I | re.S)), "foo =~ /x/is"),
    (mem.foo.re(re.compile(b"x"), "g"), "foo =~ /x/g"),
    (mem.foo.IN(1, 2, 3), "foo IN [1,2,3]"),
    (mem.foo.IN([1, 2]), "foo IN [1,2]"),
    (mem.foo.IN({2, 1}), "foo IN [1,2]"),
    (mem.foo.IN(range(3)), "foo IN [0,1,2]"),
    (mem.foo.IN(), "foo IN []"),
    (mem.foo.IN([]), "foo IN []"),
    (mem.foo.IN("a", mem.b, None), "foo IN ['a',b,null]"),
    (mem.foo.CONTAINS(1, 2, 3), "foo CONTAINS [1,2,3]"),
    (mem.foo.CONTAINS(("x",)), "foo CONTAINS ['x']"),
    (mem.foo.WITHIN(5, "KM", [1, 2]), "foo WITHIN 5 KM OF [1,2]"),
    (mem.foo.WITHIN(5, coords=(1.5, -2)), "foo WITHIN 5 MILES OF [1.5,-2]"),
    (mem.foo.WITHIN(0, "km", (0, 0)), "foo WITHIN 0 KM OF [0,0]"),
    (mem.foo.WITHIN(5, "KM", zip=123), "foo WITHIN 5 KM OF [ZIP=123]"),
    (mem.foo.WITHIN(5, "KM", (1, 2), zip=123), "foo WITHIN 5 KM OF [1,2]"),
    (mem.foo.WITHIN(5, "KM", zip="SW1A"), "foo WITHIN 5 KM OF [ZIP=SW1A]"),
    (mem.foo.WITHIN(polygon=[(0, 0), (0, 1), [1, 1]]), "foo WITHIN [[0,0],[0,1],[1,1]]"),
    (mem.foo % 10 == 3, "foo % 10 == 3"),
    (mem.foo % 2.5 != 0, "foo % 2.5 != 0"),
    (AGE == 123, "AGE == 123"),
    (AGE != 123, "AGE != 123"),
    (AGE > 123, "AGE > 123"),
    (AGE >= 0, "AGE >= 0"),
    (AGE < 1.5, "AGE < 1.5"),
    (AGE <= dt.timedelta(hours=1), "AGE <= 3600000"),  # noqa: SIM300
    (AGE("field") > 5, "AGE('field') > 5"),
    (AGE(mem.a.b) > 5, "AGE('a.b') > 5"),
    (AGE("a")("b") > 5, "AGE('a.b') > 5"),
    (EXISTS("foo"), "EXISTS foo"),
    (EXISTS(mem.foo), "EXISTS foo"),
    (EXISTS(mem["foo"]), "EXISTS foo"),
    (MATCHES("foo", "i"), "MATCHES /foo/i"),
    (HAS("foo"), "HAS foo"),
    (NOT(mem.foo == 1), "NOT foo == 1"),
    (NOT(NOT(mem.foo == 1)), "NOT NOT foo == 1"),
    (~EXISTS(mem.foo), "NOT EXISTS foo"),
    (NOT(a.AND(b)), "NOT ((a == 1) && (b == 2))"),
    (a.AND(b), "(a == 1) && (b == 2)"),
    (a.OR(b), "(a == 1) || (b == 2)"),
    (a.AND(b).AND(c), "((a == 1) && (b == 2)) && (c == 3)"),
    (a.AND(b.OR(c)), "(a == 1) && ((b == 2) || (c == 3))"),
    (a & b & c, "(a == 1) && (b == 2) && (c == 3)"),
    (a | b | c, "(a == 1) || (b == 2) || (c == 3)"),
    (a & b | ~c, "((a == 1) && (b == 2)) || (NOT c == 3)"),
]


@pytest.mark.parametrize(("built", "written"), WRITTEN, ids=[written for _, written in WRITTEN])
def test_text(built: Filter, written: str) -> None:
    assert str(built) == written
    read = parse(written)
    assert read == built
    assert shape(read) == shape(built)
    assert repr(built) == f"<Filter {written}>"


MEMBERS = [
    (mem.foo, "foo"),
    (mem["foo"], "foo"),
    (mem.elems.name, "elems.name"),
    (mem.elems.items.keys.IN_, "elems.items.keys.IN_"),
    (mem["a.b"], "a.b"),
    (mem.a["b.c"].d, "a.b.c.d"),
    (mem.a[0], "a.0"),
    (mem.a[0].b, "a.0.b"),
    (mem["name with spaces"], "`name with spaces`"),
    (mem.elems["wind-speed"], "elems.`wind-speed`"),
    (mem["re"], "re"),
    (mem.elems["WITHIN"], "elems.`WITHIN`"),
    (mem.NOT, "`NOT`"),
    (mem["true"], "`true`"),
    (mem["`a.b`"], "`a.b`"),
    (mem["`a.b`.c"], "`a.b`.c"),
    (mem["class"], "class"),
    (mem["__class__"], "__class__"),
    (mem["2024"], "`2024`"),
    (mem.é, "`é`"),
    (mem["a`b"], r"`a\`b`"),
    (mem["a == 1 || `"], r"`a == 1 || \``"),
    (mem["a\\"], r"`a\\`"),
    (mem[b"foo"], "foo"),
]


@pytest.mark.parametrize(("member", "written"), MEMBERS, ids=[written for _, written in MEMBERS])
def test_members_are_quoted_where_they_must_be(member: Any, written: str) -> None:
    assert str(member) == written
    assert str(EXISTS(member)) == f"EXISTS {written}"
    read = parse(f"EXISTS {written}")
    assert isinstance(read, nodes.Exists)
    assert read.member == member.__member__()
    assert str(eval(repr(member), {"mem": mem})) == written


def test_re_is_the_only_lower_case_name_a_member_keeps() -> None:
    own = {name for name in dir(type(mem)) if not name.startswith("_")}
    assert own == {"re", "IN", "CONTAINS", "WITHIN"}


REFUSED: list[tuple[Any, str]] = [
    (lambda: mem.a == float("nan"), "finite"),
    (lambda: mem.a == float("inf"), "finite"),
    (lambda: mem.a == Decimal("NaN"), "finite"),
    (lambda: mem.a == 2**63, "64 bits"),
    (lambda: mem.a == object(), "compare with, not object"),
    (lambda: mem.a == {1, 2}, "compare with, not set"),
    (lambda: mem.a == b"\xff", "UTF-8"),
    (lambda: mem.a == "\ud800", "surrogate"),
    (lambda: mem.a == 1j, "not complex"),
    (lambda: mem.a == (mem.b == 1), "combined with & and"),
    (lambda: mem.a == [object()], "not object"),
    (lambda: mem.a == [mem.b], "plain values"),
    (lambda: mem.a == {1: 2}, "expected a string, not 1"),
    (lambda: mem.a > True, "number, a string or a member after >, not true"),
    (lambda: mem.a < None, "not null"),
    (lambda: mem.a >= [1], "a list or map"),
    (lambda: mem == 1, "not mem itself"),
    (lambda: EXISTS(mem), "not mem itself"),
    (lambda: EXISTS(5.0), "member's name"),
    (lambda: EXISTS(""), "single dots"),
    (lambda: mem["a..b"], "single dots"),
    (lambda: mem[".a"], "single dots"),
    (lambda: mem["a."], "single dots"),
    (lambda: mem["`a"], "single dots"),
    (lambda: mem["`a`b"], "single dots"),
    (lambda: mem[-1], "from 0"),
    (lambda: mem[True], "from 0"),
    (lambda: mem[1:2], "from 0"),
    (lambda: mem["\ud800"] == 1, "surrogate"),
    (lambda: mem[".".join("a" * 51)] == 1, "1 to 50 names"),
    (lambda: mem.a % 0, "other than 0"),
    (lambda: mem.a % "x", "a number"),
    (lambda: mem.a % 2 == True, "a number"),  # noqa: E712
    (lambda: AGE > True, "a number"),
    (lambda: AGE > "5", "a number"),
    (lambda: AGE > float("inf"), "finite"),  # noqa: SIM300
    (lambda: AGE > 2**60, r"2\*\*53"),
    (lambda: mem.a.re("x", "z"), "flags among g i m s"),
    (lambda: mem.a.re("x", "ii"), "flags among g i m s"),
    (lambda: mem.a.re("x", "/ || true"), "flags among"),
    (lambda: mem.a.re("x\\"), "lone backslash"),
    (lambda: mem.a.re(5), "a string, not 5"),
    (lambda: mem.a.re("x" * 5000), "4096"),
    (lambda: mem.a.re(re.compile("x", re.X)), "flags I, M and S"),
    (lambda: MATCHES(None), "a string, not None"),
    (lambda: mem.a.IN(object()), "not object"),
    (lambda: mem.a.WITHIN(5), r"WITHIN\(5, 'MILES'\) needs a place: coords=\(lat, lon\) or zip='10001'"),
    (lambda: mem.a.WITHIN(unit="KM", zip=3), "WITHIN needs a distance"),
    (lambda: mem.a.WITHIN(5, "YARDS", (1, 2)), "KM or MILES, not 'YARDS'"),
    (lambda: mem.a.WITHIN("5", "KM", (1, 2)), "a number, not '5'"),
    (lambda: mem.a.WITHIN(-5, "KM", (1, 2)), "0 or more"),
    (lambda: mem.a.WITHIN(5, "KM", (1,)), "not 1 numbers"),
    (lambda: mem.a.WITHIN(5, "KM", "12"), "a list, not '12'"),
    (lambda: mem.a.WITHIN(5, "KM", (91, 2)), "latitude between"),
    (lambda: mem.a.WITHIN(5, "KM", (1, 181)), "longitude between"),
    (lambda: mem.a.WITHIN(5, "KM", zip="1] || x == 1 ["), "zip code of letters"),
    (lambda: mem.a.WITHIN(polygon=[(0, 0), (1, 1)]), "three points"),
    (lambda: mem.a.WITHIN(5, polygon=[(0, 0), (1, 1), (1, 2)]), "a polygon alone"),
    (lambda: HAS("a || b"), "a type's name"),
    (lambda: HAS(5), "a string"),
    (lambda: NOT("a == 1"), r"a filter in NOT"),
    (lambda: NOT(mem.a), r"NOT\(EXISTS"),
    (lambda: a & "b == 2", "parse"),
    (lambda: a & mem.b, "combines only with filters"),
    (lambda: a.AND(True), "combines only with filters"),
    (lambda: mem.a > 5 & mem.b, "in parentheses"),
    (lambda: ~mem.a, "in parentheses"),
    (lambda: mem.a | (mem.b == 1), "in parentheses"),
    (lambda: Typed("Date", "yesterday"), "a date as"),
    (lambda: Typed("Da te", 1), "a type's name"),
    (lambda: Typed("Date", True), "a number or a string"),
    (lambda: nodes.And((a,)), "two filters"),
]


@pytest.mark.parametrize(("build", "said"), REFUSED)
def test_bad_input_is_refused_where_it_is_written(build: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        build()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, FlowThingsError)


TRAPS: list[tuple[Any, str]] = [
    (lambda: bool(a), r"\(a\) & \(b\) for `a and b`"),
    (lambda: a and b, "neither true nor false"),
    (lambda: a or b, "neither true nor false"),
    (lambda: not a, r"~\(a\) for `not a`"),
    (lambda: 1 < mem.a < 5, r"\(mem.a > 1\) & \(mem.a < 5\)"),
    (lambda: mem.a in [mem.b], r"mem.a.IN"),
    (lambda: 5 in mem.a, r"write mem.a.CONTAINS\(5\)"),
    (lambda: bool(mem.a), r"EXISTS\(mem.a\)"),
    (lambda: iter(mem.a), "cannot be iterated"),
    (lambda: list(mem.a), "cannot be iterated"),
    (lambda: bool(AGE), "Compare it"),
    (lambda: bool(mem.a % 2), "mem.a % 2 == 0"),
]


@pytest.mark.parametrize(("slip", "said"), TRAPS)
def test_pythons_own_logic_fails_loudly(slip: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        slip()


def test_a_member_cannot_be_assigned_to() -> None:
    with pytest.raises(AttributeError, match=r"compare it: mem\.a =="):
        mem.a = 1
    with pytest.raises(AttributeError):
        del mem.a


def test_members_are_ordinary_objects() -> None:
    member = mem.elems["a b"][0]
    for twin in (copy.copy(member), copy.deepcopy(member), pickle.loads(pickle.dumps(member))):
        assert str(twin) == str(member)
        assert hash(twin) == hash(member)
        assert {member: "found"}[twin] == "found"
    assert len({mem.a, mem.a, mem.b}) == 2
    assert repr(member) == "mem.elems['a b']['0']"
    assert repr(mem) == "mem"
    assert repr(AGE("x")) == "AGE(mem.x)"
    assert repr(mem.a % 2) == "mem.a % 2"
    assert len({AGE: 1, AGE("x"): 2}) == 2
    assert not hasattr(mem.a, "__len__")
    assert copy.deepcopy(AGE("x")) is not None


class OnItsWay:
    """Stands for the result of a lazy call."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def unwrap(self) -> Any:
        return self.value


def test_values_on_their_way_are_waited_for() -> None:
    assert str(mem.a == OnItsWay("x")) == "a == 'x'"
    assert str(mem.a.IN(OnItsWay([1, OnItsWay(2)]))) == "a IN [1,2]"
    assert str(mem.a == [OnItsWay(1)]) == "a == [1]"
    assert str(AGE > OnItsWay(5)) == "AGE > 5"  # noqa: SIM300
    assert str(mem[OnItsWay("b")] == 1) == "b == 1"
    with pytest.raises(InvalidInput, match="not object"):
        _ = mem.a == OnItsWay(object())


def test_subclasses_of_str_and_int_go_in_as_what_they_are() -> None:
    import enum

    class Colour(str, enum.Enum):
        RED = "red"

    class Level(enum.IntEnum):
        HIGH = 3

    assert str(mem.a == Colour.RED) == "a == 'red'"
    assert str(mem.a == Level.HIGH) == "a == 3"
    numpy = pytest.importorskip("numpy")
    assert str(mem.a == numpy.float64(1.5)) == "a == 1.5"
    assert str(mem.a == numpy.int64(7)) == "a == 7"


def test_equality_is_exact_about_types() -> None:
    different = [mem.a == 1, mem.a == 1.0, mem.a == True, mem.a == "1", mem.a == None, mem.a == mem["1"]]  # noqa: E711, E712
    assert len(set(different)) == len(different)
    assert (mem.a == 1) == (mem.a == 1)
    assert (mem.a == 1) != "a == 1"


@pytest.mark.once
@given(filters)
def test_filters_are_ordinary_values(node: Filter) -> None:
    for twin in (copy.copy(node), copy.deepcopy(node), pickle.loads(pickle.dumps(node))):
        assert twin == node
        assert hash(twin) == hash(node)
        assert shape(twin) == shape(node)
        assert (twin & node).depth == (node & node).depth


def test_filters_cannot_be_changed() -> None:
    with pytest.raises((AttributeError, TypeError)):
        a.op = "!="  # type: ignore[attr-defined]


@pytest.mark.once
@given(st.integers(2, 300))
def test_long_chains_stay_in_bounds(length: int) -> None:
    flat = nested = mem.a == 0
    for number in range(1, length):
        flat = flat | (mem.a == number)
        nested = nested.OR(mem.a == number)
    assert flat.depth == 1
    assert nested.depth <= nodes.MAX_DEPTH
    assert parse(str(nested)) == nested


def test_depth_and_length_are_bounded() -> None:
    node: Filter = a
    for _ in range(100):
        node = ~node
    with pytest.raises(InvalidInput, match="at most 100 deep"):
        _ = ~node
    assert parse(str(node)) == node
    with pytest.raises(InvalidInput, match="at most 65536 characters"):
        str(mem.a == "x" * 70_000)

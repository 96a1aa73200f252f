"""The predicate: which filters match which plain documents."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import pytest

from flowthings_like.errors import ConfigurationError, InvalidInput
from flowthings_like.filters import mem, nodes, parse, patterns, zip_codes
from flowthings_like.filters.geography import distance, inside, location
from flowthings_like.filters.predicate import compile_predicate

NOW = 1_000_000
DROP: dict[str, Any] = {
    "id": "d1",
    "path": "/acme/jfk",
    "creationDate": 400_000,
    "fhash": "jfk:1",
    "location": {"lat": 40.64, "lon": -73.78, "specifiers": {"city": "New York"}},
    "elems": {
        "temp": 39.02,
        "wind": 10,
        "name": "Kennedy",
        "open": True,
        "gone": None,
        "seen": 999_000,
        "tags": ["a", 2, None, True, ["x"], {"k": 1.0}],
        "m": {"x": {"y": 5}, "value": 7},
        "0": "zero",
        "path": "an element",
        "n": -7,
        "r": -7.5,
    },
}


def holds(text: str, document: dict[str, Any] = DROP) -> bool:
    node = parse(text)
    assert node is not None
    test = compile_predicate(node)
    answer = test(document, NOW)
    assert test(document, NOW) is answer
    assert compile_predicate(~node)(document, NOW) is not answer
    return answer


TRUE = [
    # names: a drop's own members, then elements, with or without `elems.`
    "temp > 39",
    "elems.temp > 39",
    "elems.temp.value > 39",
    "temp.value == 39.02",
    "path == '/acme/jfk'",
    "elems.path == 'an element'",
    "fhash == 'jfk:1'",
    "location.specifiers.city == 'New York'",
    "m.x.y == 5",
    "m.value == 7",
    "m.x.value.y == 5 || m.x.y.value == 5",
    "tags.0 == 'a'",
    "tags.4.0 == 'x'",
    "tags.5.k == 1",
    "elems.0 == 'zero'",
    "`0` == 'zero'",
    # numbers: integers and reals together, exactly
    "wind == 10.0",
    "wind >= 10 && wind <= 10",
    "wind < 9007199254740993",
    "wind < 1e300",
    "wind > -9223372036854775808",
    "temp != 39",
    "wind IN [1, 10.0]",
    # strings by code points, others by equality alone
    "name > 'K'",
    "name < 'a'",
    "name >= ''",
    "open == true",
    "open != 1",
    "wind != '10'",
    # missing and null
    "gone == null",
    "EXISTS gone",
    "NOT EXISTS nothing",
    "nothing != 5",
    "nothing != null",
    "nothing != nothing",
    "nothing != temp",
    "gone IN [null]",
    "NOT nothing > 5",
    "NOT nothing <= 5",
    "nothing % 2 != 0",
    "AGE('nothing') != 5",
    # members against members
    "temp > wind",
    "elems.path != path",
    "name == name",
    "gone == gone",
    "tags == tags",
    "wind IN [nothing, wind]",
    # lists and maps
    "tags == ['a', 2.0, null, true, ['x'], {'k': 1}]",
    "m.x == {'y': 5}",
    "m.x != {'y': 5, 'z': 1}",
    "tags CONTAINS ['a', 2.0, null, true, ['x'], {'k': 1}]",
    "tags CONTAINS []",
    "tags CONTAINS [open]",
    "NOT wind IN []",
    "NOT tags CONTAINS [1]",
    "NOT tags CONTAINS ['a', 'b']",
    "NOT name CONTAINS ['K']",
    "NOT nothing CONTAINS []",
    # remainders have the sign of the dividend
    "wind % 3 == 1",
    "n % 3 == -1",
    "n % -3 == -1.0",
    "r % 2 == -1.5",
    "n % 2.5 == -2",
    "NOT name % 2 == 0",
    "name % 2 != 0",
    # patterns: anywhere, linear time
    "name =~ /^kenn/i",
    "name =~ /dy$/g",
    r"path =~ /^\/acme\//",
    "NOT wind =~ /1/",
    "MATCHES /ennedy/",
    "NOT MATCHES /^acme/",
    # types
    "HAS string",
    "HAS integer && HAS long && HAS float && HAS boolean && HAS map && HAS list && HAS null",
    "NOT HAS date && NOT HAS nonsense",
    # age
    "AGE == 600000",
    "AGE > 599999.5 && AGE < 600001",
    "AGE >= 600000 && AGE <= 600000",
    "AGE('seen') < 5000",
    "AGE('elems.seen') == 1000",
    "AGE('name') != 1000 && NOT AGE('name') > 1000",
    # typed values are their plain values
    "seen == Date(999000)",
    "seen < Date('2016-01-01')",
    "seen == Date('1970-01-01T00:16:39Z')",
    "seen == Date('1970-01-01T02:16:39+02:00')",
    "id == ObjectId('d1')",
    # locations
    "location WITHIN 1 KM OF [40.64,-73.78]",
    "location WITHIN 3450 MILES OF [51.47,-0.45]",
    "NOT location WITHIN 3400 MILES OF [51.47,-0.45]",
    "NOT name WITHIN 100000 KM OF [0,0]",
    "NOT nothing WITHIN 100000 KM OF [0,0]",
    "location WITHIN [[40,-74],[40,-73],[41,-73],[41,-74]]",
    "NOT location WITHIN [[0,0],[0,1],[1,1]]",
    # precedence
    "temp > 0 || temp < 0 && temp < 0",
    "NOT temp < 0 && temp > 0",
]


@pytest.mark.parametrize("text", TRUE)
def test_true_of_the_drop(text: str) -> None:
    assert holds(text)


FALSE = [
    "open == 1",
    "open > 0",
    "wind == true",
    "wind == '10'",
    "name > 5",
    "name < 5",
    "gone == 0",
    "gone == ''",
    "gone < 5",
    "nothing == null",
    "nothing == nothing",
    "nothing IN [null]",
    "nothing < 5",
    "EXISTS nothing",
    "EXISTS temp.x",
    "EXISTS tags.6",
    "EXISTS tags.00",
    "EXISTS description",
    "EXISTS lastEditDate",
    "gone CONTAINS []",
    "name > wind",
    "open > open",
    "gone >= gone",
    "name =~ /^kenn/",
    "gone =~ /./",
    "elems == {}",
    "AGE('gone') < 99999999",
]


@pytest.mark.parametrize("text", FALSE)
def test_false_of_the_drop(text: str) -> None:
    assert not holds(text)


def test_a_resource_is_read_whole() -> None:
    flow = {
        "id": "f1",
        "path": "/acme/a",
        "description": "Gales",
        "capacity": 0,
        "creationDate": 5,
        "tags": [1],
    }
    for text in ["description == 'Gales'", "path =~ /a$/", "capacity == 0", "MATCHES /ale/", "tags.0 == 1"]:
        assert holds(text, flow), text
    assert holds("HAS list && NOT HAS map", flow)
    for text in ["elems.description == 'Gales'", "EXISTS elems", "EXISTS elems.a.b", "capacity > 0"]:
        assert not holds(text, flow), text


@pytest.mark.parametrize(
    "pattern", ["(?=x)", "(?<!x)y", r"(a)\1", "(", "a{2000}", "((a{100}){100}){100}", "(?P<n>", "[z-a]", "*"]
)
def test_patterns_re2_does_not_take_are_refused_when_compiled(pattern: str) -> None:
    node = mem.a.re(pattern)  # another platform may take the pattern, so it can be written
    with pytest.raises(InvalidInput, match="re2's syntax"):
        compile_predicate(node)


def test_a_pattern_that_keeps_other_engines_busy_for_ever() -> None:
    test = compile_predicate(mem.a.re("^(a+)+$"))
    assert not test({"elems": {"a": "a" * 50_000 + "b"}}, 0)
    assert test({"elems": {"a": "a" * 50_000}}, 0)
    assert compile_predicate(mem.a.re("(a|b)*" * 600))({"elems": {"a": "ab" * 50_000}}, 0)


def test_re2_is_asked_for_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    patterns.searcher.cache_clear()
    real = builtins.__import__

    def without_re2(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "re2":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "re2", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_re2)
    assert compile_predicate(mem.a == 1)({"elems": {"a": 1}}, 0)
    with pytest.raises(ConfigurationError, match=r'pip install "flowthings_like\[embedded\]"'):
        compile_predicate(mem.a.re("x"))


@pytest.mark.parametrize("zip_code", ["10001", 10001, "10001-0001"])
def test_zip_codes_are_places(zip_code: Any) -> None:
    near = compile_predicate(mem.location.WITHIN(5, zip=zip_code))
    assert near({"location": {"lat": 40.7484, "lon": -73.9857}}, 0)  # the Empire State Building
    assert not near({"location": {"lat": 40.6413, "lon": -73.7781}}, 0)  # the airport JFK
    holtsville = compile_predicate(mem.location.WITHIN(1, zip=501))
    assert holtsville({"location": {"lat": 40.8154, "lon": -73.0451}}, 0)


@pytest.mark.parametrize(
    ("zip_code", "reason"),
    [
        ("99999", "there is no zip code 99999"),
        ("SW1A", "a zip code of the United States"),
        (123456, "such as"),
    ],
)
def test_other_zip_codes_are_refused(zip_code: Any, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        compile_predicate(mem.location.WITHIN(5, zip=zip_code))


def test_zip_codes_need_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zipcodes", None)
    zip_codes.point_of.cache_clear()
    with pytest.raises(InvalidInput, match=r"pip install 'flowthings_like\[zipcodes\]'"):
        compile_predicate(mem.location.WITHIN(5, zip="10001"))


def test_distances_are_those_of_the_globe() -> None:
    jfk, heathrow, sydney = (40.6413, -73.7781), (51.4700, -0.4543), (-33.9399, 151.1753)
    assert distance(jfk, heathrow) == pytest.approx(5540, rel=0.005)  # published great-circle figures, km
    assert distance(jfk, sydney) == pytest.approx(16015, rel=0.005)
    assert distance((0, 179.5), (0, -179.5)) == pytest.approx(111.195, rel=1e-4)
    assert distance((0, 0), (0, 180)) == pytest.approx(distance((90, 0), (-90, 0)))
    assert distance(jfk, jfk) == 0


def test_only_a_pair_of_degrees_is_a_place() -> None:
    assert location({"lat": 1, "lon": 2.5, "specifiers": {}}) == (1, 2.5)
    for value in [
        None,
        [1, 2],
        {},
        {"lat": 1},
        {"lat": "1", "lon": 2},
        {"lat": True, "lon": 2},
        {"lat": 91, "lon": 0},
    ]:
        assert location(value) is None


def test_inside_a_polygon_with_a_dent() -> None:
    dented = ((0, 0), (0, 4), (4, 4), (2, 2), (4, 0))
    assert inside((1, 2), dented)
    assert inside((3, 0.5), dented)
    assert not inside((3, 2), dented)
    assert not inside((5, 2), dented)


def test_the_deepest_and_the_widest_filter_run() -> None:
    deep: nodes.Filter = mem.a == 1
    for level in range(100):
        deep = nodes.And((deep, mem.a == 1)) if level % 2 else nodes.Or((mem.a == 2, deep))
    assert compile_predicate(deep)({"elems": {"a": 1}}, 0)
    wide = nodes.Or(tuple(mem.a == number for number in range(5000)))
    assert compile_predicate(wide)({"elems": {"a": 4999}}, 0)


def test_a_filter_of_no_kind_is_refused() -> None:
    with pytest.raises(InvalidInput, match="a filter, not str"):
        compile_predicate("a == 1")  # type: ignore[arg-type]

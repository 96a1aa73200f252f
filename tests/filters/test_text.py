"""The filter language: parsing and writing, texts of other clients, and errors with their positions."""

from __future__ import annotations

import contextlib
import pickle
import random
import sys
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowthings_like.errors import FilterSyntaxError, InvalidInput
from flowthings_like.filters import Filter, Typed, mem, nodes, parse, render
from flowthings_like.filters.nodes import MAX_LENGTH, And, Member, Or
from flowthings_like.filters.parser import Parser

from .strategies import any_text, filters, flags, shape

a, b, c = mem.a == 1, mem.b == 2, mem.c == 3


@pytest.mark.once
@settings(max_examples=400, deadline=None)
@given(filters)
def test_text_reads_back_as_the_same_tree(node: Filter) -> None:
    read = parse(str(node))
    assert read == node
    assert shape(read) == shape(node)
    assert render(node) == str(node)


@settings(max_examples=300, deadline=None)
@given(any_text.filter(bool), any_text, any_text)
@example("`", "'", "/")
@example("\\", "\\", "\\\\")
@example("' || true == '", "\\' || 1 == 1 || a == '", "/ || 1 == 1 || a =~ /")
@example("\x85\u2028", "\u2029\x7f", "\\\n")
def test_no_name_string_or_pattern_breaks_out(name: str, string: str, pattern: str) -> None:
    rules = [nodes.Compare(Member((name,)), "==", string), nodes.Exists(Member(("elems", name, name)))]
    rules += [nodes.In(Member((name, "x")), (string, name)), nodes.Age(Member((name, name)), ">", 5)]
    rules += [nodes.Compare(Member(("a",)), "==", nodes.Json.of({string: [name]}))]
    try:
        rules.append(nodes.Regex(Member((name,)), pattern, "i"))
    except InvalidInput:
        assert pattern.endswith("\\")
    for rule in rules:
        read = parse(str(rule))
        assert shape(read) == shape(rule)
        assert not any(char in str(rule) for char in "\n\r\0")
    whole = And((*rules, a))
    assert shape(parse(str(whole))) == shape(whole)


@given(st.text("\\/n\n[]a", max_size=8), flags)
def test_a_pattern_keeps_its_meaning_through_text(pattern: str, letters: str) -> None:
    try:
        rule = nodes.Matches(pattern, letters)
    except InvalidInput:
        return
    read = parse(str(rule))
    assert isinstance(read, nodes.Matches)
    assert (read.pattern, read.flags) == (rule.pattern, letters)
    assert nodes.Matches(rule.pattern, letters) == rule  # normalising twice changes nothing


ACCEPTED: list[tuple[str, Filter]] = [
    # the form in which other clients write
    ("elems.num>3", mem.elems.num > 3),
    ('path=="x"', mem.path == "x"),
    (r'path=="say \"hi\" \\ \n \u0041"', mem.path == 'say "hi" \\ \n A'),
    (r'path=="\ud83d\ude00"', mem.path == "😀"),
    ("path == 'it\\'s'", mem.path == "it's"),
    (r"path=~/^\/a$/", mem.path.re("^/a$")),
    ("(a == 1)&&(b == 2)", a & b),
    ("(a==1)||(b==2)&&(c==3)", a | (b & c)),
    ("a == 1 && b == 2 || c == 3", (a & b) | c),
    ("a == 1 || b == 2 || c == 3", a | b | c),
    ("(a == 1 || b == 2) && c == 3", (a | b) & c),
    ("((a == 1) && (b == 2)) && (c == 3)", And((a & b, c))),
    ("((((a == 1))))", a),
    ("NOT (a == 1) && (b == 2)", ~a & b),
    ("NOT((a == 1)&&(b == 2))", ~(a & b)),
    ("NOT NOT a == 1", ~~a),
    ("NOT EXISTS a", ~nodes.Exists(Member(("a",)))),
    ("EXISTS `temperature`", nodes.Exists(Member(("temperature",)))),
    ("EXISTS `odd name`.`a.b`", nodes.Exists(Member(("odd name", "a.b")))),
    ("AGE > 1000", nodes.Age(None, ">", 1000)),
    ("AGE != 5", nodes.Age(None, "!=", 5)),
    ("AGE('elems.seen') < 5", nodes.Age(Member(("elems", "seen")), "<", 5)),
    ('AGE ("seen")<5', nodes.Age(Member(("seen",)), "<", 5)),
    ("AGE(elems.seen) < 5", nodes.Age(Member(("elems", "seen")), "<", 5)),
    ("location WITHIN 5 MILES OF [40.5, -73.9]", mem.location.WITHIN(5, "MILES", (40.5, -73.9))),
    ("location WITHIN 5 km of [1,2]", mem.location.WITHIN(5, "KM", (1, 2))),
    ("location WITHIN 5KM OF [ZIP = 10001]", mem.location.WITHIN(5, "KM", zip="10001")),
    ("location WITHIN [[0,0],[0,1],[1,1]]", mem.location.WITHIN(polygon=[(0, 0), (0, 1), (1, 1)])),
    ("HAS string", nodes.Has("string")),
    ("MATCHES /receive$/i", nodes.Matches("receive$", "i")),
    ("MATCHES//", nodes.Matches("")),
    ("m % 2==0", mem.m % 2 == 0),
    ("m%-2.5 != .5", mem.m % -2.5 != 0.5),
    ("m IN []", mem.m.IN()),
    ("m IN[1,'x',true,null,b]", mem.m.IN(1, "x", True, None, mem.b)),
    ("m CONTAINS [ 'a' , 'b' ]", mem.m.CONTAINS("a", "b")),
    ("x == null", mem.x == None),  # noqa: E711
    ("x != false", mem.x != False),  # noqa: E712
    ('x == [1, 2, {"k" : [ ]}]', mem.x == [1, 2, {"k": []}]),
    ("x == {}", mem.x == {}),
    ("x == y.z", mem.x == mem.y.z),
    ("x < Date(5)", mem.x < Typed("Date", 5)),
    ('x < Date ("2016-02-29T12:00:00.000Z")', mem.x < Typed("Date", "2016-02-29T12:00:00.000Z")),
    ("x == ObjectId('5f')", mem.x == Typed("ObjectId", "5f")),
    ("x == Email('a@b')", mem.x == Typed("Email", "a@b")),
    ("a.0.b == 1", mem.a[0].b == 1),
    ("0.b == 1", mem["0"].b == 1),
    ("wind-speed > 1", mem["wind-speed"] > 1),
    ("$ref == 1", mem["$ref"] == 1),
    ("é == 1", mem["é"] == 1),
    ("a . b == 1", mem.a.b == 1),
    ("AGE.x == 1", mem["AGE"].x == 1),
    ("NOTE == 1", mem.NOTE == 1),
    ("IN_IN IN [1]", mem.IN_IN.IN(1)),
    ("x == nothing", mem.x == mem.nothing),
    ("x == +5", mem.x == 5),
    ("x == -0.5e-3", mem.x == -0.0005),
    ("x == 1e+22", mem.x == 1e22),
    ("x == 007", mem.x == 7),
    ("x == 9223372036854775807", mem.x == 2**63 - 1),
    ("x == 1.", mem.x == 1.0),
    ("\n a\t==\r\n1 ", a),
]


@pytest.mark.parametrize(("text", "meant"), ACCEPTED, ids=[text for text, _ in ACCEPTED])
def test_what_clients_send_is_read(text: str, meant: Filter) -> None:
    read = parse(text)
    assert read == meant
    assert shape(read) == shape(meant)
    assert parse(text.encode()) == meant


@pytest.mark.parametrize("text", ["", " ", "\n\t ", b""])
def test_no_text_is_no_filter(text: Any) -> None:
    assert parse(text) is None


REFUSED = [
    ("a", 1, 2, "an operator", "the end"),
    ("a = 1", 1, 3, "an operator: ==", "'='"),
    ("a ==", 1, 5, "a value", "the end"),
    ("a == == 1", 1, 6, "a value", "'=='"),
    ("a == 1 b == 2", 1, 8, "&&, || or the end", "'b'"),
    ("a == 1 & b == 2", 1, 8, "&&, || or the end", "'&'"),
    ("a == 1 && ", 1, 11, "a rule: a member", "the end"),
    ("a == 1\n  && b ? 2", 2, 8, "an operator", "'?'"),
    ("(a == 1", 1, 8, "), && or ||", "the end"),
    ("a == 1)", 1, 7, "&&, || or the end", "')'"),
    ("()", 1, 2, "a rule", "')'"),
    ("NOT", 1, 4, "a rule", "the end"),
    ("EXISTS", 1, 7, "a member", "the end"),
    ("EXISTS 'a'", 1, 8, "a member", '"\'"'),
    ("HAS", 1, 4, "a type's name", "the end"),
    ("MATCHES foo", 1, 9, "a regular expression, /…/", "'foo'"),
    ("a =~ /foo", 1, 6, "a regular expression, /…/", "'/'"),
    ("a =~ /foo/x", 1, 1, "flags among g i m s, each once, not 'x'", ""),
    ("a =~ 'foo'", 1, 6, "a regular expression", '"\'"'),
    ("a =~ /" + "x" * 5000 + "/", 1, 1, "at most 4096", ""),
    ("a == 'open", 1, 6, "a value", '"\'"'),
    ("a == `open", 1, 6, "a value", "'`'"),
    (r"a == 'c:\dir'", 1, 1, r"an escape (\\ \' \"", ""),
    (r'a == "\ud83d"', 1, 1, "Unicode text, not half a surrogate pair", ""),
    ("a == nan", 1, 6, "a value", "'nan'"),
    ("a == inf", 1, 6, "a value", "'inf'"),
    ("a == -inf", 1, 6, "a value", "'-'"),
    ("a == 1e999", 1, 1, "a finite number, not inf", ""),
    ("a == 9223372036854775808", 1, 1, "64 bits", ""),
    ("a == " + "9" * 60000, 1, 6, "64 bits", ""),
    ("a > true", 1, 1, "a number, a string or a member after >, not true", ""),
    ("a <= [1]", 1, 1, "not a list or map", ""),
    ("a IN 1", 1, 6, "[", "'1'"),
    ("a IN [1,]", 1, 9, "a value", "']'"),
    ("a IN [1 2]", 1, 9, "] or ,", "'2'"),
    ("a CONTAINS [1", 1, 14, "] or ,", "the end"),
    ("a == {x: 1}", 1, 7, "a key in quotes", "'x'"),
    ("a == [x]", 1, 7, "a string, a number, true, false, null, a list or a map", "'x'"),
    ("a % 0 == 1", 1, 1, "a divisor other than 0, not 0", ""),
    ("a % 2 > 1", 1, 1, "== or != after a remainder, not '>'", ""),
    ("a % 2", 1, 6, "== or !=", "the end"),
    ("a WITHIN 5 FURLONGS OF [1,2]", 1, 1, "a unit, KM or MILES, not 'FURLONGS'", ""),
    ("a WITHIN 5 KM [1,2]", 1, 15, "OF", "'['"),
    ("a WITHIN 5 KM OF 1,2", 1, 18, "[", "'1'"),
    ("a WITHIN 5 KM OF [1]", 1, 20, ",", "']'"),
    ("a WITHIN 5 KM OF [ZIP=]", 1, 19, "a latitude", "'ZIP'"),
    ("a WITHIN 5 KM OF [91,0]", 1, 1, "a latitude between -90 and 90, not 91", ""),
    ("b == 1 && a WITHIN [[0,0],[1,1]]", 1, 11, "at least three points", ""),
    ("AGE", 1, 4, "an operator: ==", "the end"),
    ("AGE > True", 1, 7, "a number", "'True'"),
    ("AGE > 'x'", 1, 7, "a number", '"\'"'),
    ("AGE('a..b') > 1", 1, 1, "names with single dots", ""),
    ("x < Date('soon')", 1, 1, "a date as", ""),
    ("x < Date(5", 1, 11, ")", "the end"),
    ("x == Date()", 1, 11, "a number or a string", "')'"),
    ("OF == 1", 1, 1, "a rule", "'OF'"),
    ("true", 1, 1, "a rule", "'true'"),
    ("5 > a.b..c", 1, 8, "&&, || or the end", "'..'"),
    ("('a' == 'b')", 1, 2, "a rule", '"\'"'),
    (".a == 1", 1, 1, "a rule", "'.'"),
    ("a; DROP TABLE", 1, 2, "an operator", "';'"),
    ("(" * 101 + "a == 1" + ")" * 101, 1, 102, "at most 100 levels", "one more"),
    ("NOT " * 101 + "a == 1", 1, 404, "at most 100 levels", "one more"),
    ("a == " + "[" * 101 + "]" * 101, 1, 107, "at most 100 levels", "one more"),
    (".".join("a" * 51) + " == 1", 1, 1, "1 to 50 names", ""),
    ("a == 1" + " " * MAX_LENGTH, 1, 1, "at most 65536 characters", "65542"),
]


@pytest.mark.parametrize(
    ("text", "line", "column", "expected", "found"), REFUSED, ids=[r[0][:40] for r in REFUSED]
)
def test_errors_say_where_and_what(text: str, line: int, column: int, expected: str, found: str) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        parse(text)
    error = caught.value
    assert expected in error.expected
    assert (error.line, error.column) == (line, column)
    assert error.found.startswith(found[:-1]) if found else error.found == ""
    assert error.text == text
    assert f"line {line}, column {column}: expected " in str(error)
    assert len(str(error)) < 5000
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize("text", [None, 5, [], b"\xff", mem.a == 1])
def test_what_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(InvalidInput):
        parse(text)


def test_the_deepest_text_parses_far_down_the_stack() -> None:
    texts = ["(" * 100 + "a == 1" + ")" * 100, "NOT " * 100 + "a == 1", "a == " + "[" * 99 + "]" * 99]
    texts.append("(a == 1 || (a == 1 && " * 50 + "a == 1" + "))" * 50)

    def down(levels: int) -> None:
        if levels:
            down(levels - 1)
            return
        for text in texts:
            read = parse(text)
            assert read is not None
            assert parse(str(read)) == read

    down(sys.getrecursionlimit() - 700)


HEAVY = [
    "((((((((((",
    "a" * 60000,
    "a." * 30000,
    "`" * 60001,
    "'" * 60001,
    "a == '" + "\\" * 60000,
    "a =~ /" + "\\/" * 30000,
    "a" + " " * 60000 + "!",
    "a == 1 " + "&& a == 1 " * 6000 + "&",
    "a IN [" + "1," * 30000,
    "a == {" + '"k":1,' * 9000,
    "a" + "\n" * 60000 + "?",
    "a WITHIN [" + "[1,2]," * 9000,
    "NOT" * 20000,
    "a == -" + "0" * 60000 + "x",
    "a == " + "1" * 30000 + "." + "1" * 30000 + "e" + "1" * 5000,
]


@pytest.mark.parametrize("text", HEAVY, ids=[text[:12] for text in HEAVY])
def test_long_nonsense_is_an_error_like_any_other(text: str) -> None:
    with pytest.raises(FilterSyntaxError):
        parse(text)


@pytest.mark.once
def test_mutated_texts_parse_or_fail_cleanly() -> None:
    """Every text is a filter that can be written and parsed again, or raises FilterSyntaxError."""
    chance = random.Random(20161121)
    seeds = [text for text, _ in ACCEPTED] + [row[0] for row in REFUSED if len(row[0]) < 200]
    pieces = [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "'",
        '"',
        "`",
        "\\",
        "/",
        ".",
        ",",
        "&&",
        "||",
        "NOT ",
        "==",
        "=~",
        "%",
        "\0",
    ]
    pieces += [
        "AGE",
        "IN",
        "WITHIN",
        "OF",
        "ZIP=",
        "null",
        "nan",
        "1e9",
        "-",
        "9" * 25,
        "\ud800",
        "\u2028",
        " ",
        "\n",
        "é",
    ]
    parsed = 0
    for _ in range(20_000):
        text = chance.choice(seeds)
        for _ in range(chance.randrange(1, 4)):
            at, to = sorted(chance.randrange(len(text) + 1) for _ in range(2))
            piece = chance.choice([*pieces, chance.choice(seeds)[:20], text[at:to]])
            text = text[:at] + piece + text[at if chance.random() < 0.5 else min(to, at + 3) :]
        try:
            read = parse(text)
        except FilterSyntaxError:
            continue
        if read is not None:
            parsed += 1
            assert shape(parse(str(read))) == shape(read), text
    assert parsed > 1000


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_any_text_parses_or_fails_cleanly(text: str) -> None:
    with contextlib.suppress(FilterSyntaxError):
        parse(text)


def test_or_and_and_bind_as_documented() -> None:
    assert parse("a == 1 || b == 2 && NOT c == 3") == Or((a, And((b, nodes.Not(c)))))


VALUES = ["'x'", '"x"', "'it\\'s'", '"é\\n"', '"a\nb"', "5", "-0", "007", "+5", "5.0", "1e3", "9" * 25]
VALUES += ["true", "b", "", "'\ud800'", "'" + "x" * (MAX_LENGTH + 1) + "'"]


@pytest.mark.once
@pytest.mark.parametrize("op", ["==", "!=", "<", "<=", ">", ">=", "=", "=~"])
@pytest.mark.parametrize(
    "path", ["a", "elems.a", "_x.y1", "null", "AGE", "elems.AGE", "a.null", "é", "a.0", "a" + ".b" * 50]
)
def test_a_single_comparison_is_read_as_the_whole_language_is(path: str, op: str) -> None:
    """Single comparisons are parsed by one regular expression instead of the parser."""

    def outcome(read: Any) -> Any:
        try:
            return shape(read())
        except InvalidInput as error:
            return type(error), str(error)

    def whole(text: str) -> Any:
        return Parser(text).whole()

    for value in VALUES:
        for text in (f"{path} {op} {value}", f"  {path}{op}{value} ", f"{path} {op} {value} &&"):
            assert outcome(partial(parse, text)) == outcome(partial(whole, text)), text[:80]

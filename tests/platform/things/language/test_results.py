"""The results of code: a table of results and a table of errors. Each line has a collection of its own."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest

from flowthings_like.platform.things.language import limits
from flowthings_like.wire.things import errors

from .support import Stuff

RESULTS: list[tuple[str, Any]] = [
    # literals
    ("nil", None),
    ("true", True),
    ("false", False),
    ("", None),
    ("// nothing\n /* at\nall */", None),
    ("42", 42),
    ("-42", -42),
    ("0b101", 5),
    ("0o17", 15),
    ("0xfF", 255),
    ("-9223372036854775808", -(1 << 63)),
    ("9223372036854775807", (1 << 63) - 1),
    ("3.14", 3.14),
    (".5", 0.5),
    ("1.5e+3", 1500.0),
    ("-inf", -math.inf),
    ("is_nan(nan)", True),
    ("'it''s'", "it's"),
    ('"say ""hi"""', 'say "hi"'),
    ("'// no comment'", "// no comment"),
    ("`a {1 + 1} b`", "a 2 b"),
    ("`{{}} `` // {'x'}{nil}{true}`", "{} ` // xniltrue"),
    ("`{`nested {1}`}`", "nested 1"),
    ("/a+/i", "/a+/i"),
    ("[]", []),
    ("[1, 'a', [2, [3]],]", [1, "a", [2, [3]]]),
    ("{}", {}),
    ("{a: 1, b: {c: 2}}", {"a": 1, "b": {}}),
    ("name = 'Iris'; {name:, age: 6}", {"name": "Iris", "age": 6}),
    ("|a, b| a + b", "|a, b| a + b"),
    ("||nil", "||nil"),
    # comments and statements
    ("1; 2;", 2),
    ("1 // one\n; /* two */ 2", 2),
    ("10 / 4 // 2", 2),
    # operators, from the highest precedence
    ("2 + 3 * 4 + 1", 15),
    ("2 * 3 + 4 * 2", 14),
    ("(2 + 3) * 4", 20),
    ("10 - 2 - 3", 5),
    ("5 -1", 4),
    ("7 / 2", 3),
    ("6 / 2", 3),
    ("-7 / 2", -3),
    ("7 / 2.0", 3.5),
    ("7 % 3", 1),
    ("-7 % 3", -1),
    ("7 % -3", 1),
    ("7.9 % 3.9", 1),
    ("true + true", 2),
    ("1 + 1.5", 2.5),
    ("'a' + 'b'", "ab"),
    ("1 << 4 | 3 & 6 ^ 1", 19),
    ("256 >> 4", 16),
    ("1 << 1 + 1", 4),
    ("~5", -6),
    ("- - 5", 5),
    ("1 < 2 == true", True),
    ("1 == 1.0", True),
    ("1 == '1'", False),
    ("'a' < 'b'", True),
    ("nil == false", False),
    ("[1, [2]] == [1, [2]]", True),
    ("{} == {}", False),
    ("x = {}; x == x", True),
    ("2 - 2 && 1", 0),
    ("2 - (2 && 1)", 1),
    ("2 || 5 - 1", 2),
    ("1 || 0 && 0", 1),
    ("(1 || 0) && 0", 0),
    ("nil || [] || 'end'", "end"),
    ("!0", True),
    ("!!'a'", True),
    ("!1 == false", True),
    ("5 - 0 ? 1 : 2", 1),
    ("false ? 'a' : true ? 'b' : 'c'", "b"),
    ("true ? false ? 1 : 2 : 3", 2),
    ("set() | set({})", [{}]),
    ("a = {x: 1}; b = {}; set(a, b) & set(a)", [{"x": 1}]),
    ("a = {x: 1}; b = {}; set(a, b) - set(b)", [{"x": 1}]),
    ("a = {x: 1}; b = {}; set(a) ^ set(a, b)", [{}]),
    # variables and properties
    ("a = b = 2; a + b", 4),
    ("a = 1; a += 2; a *= 5; a -= 1; a /= 2; a", 7),
    ("a = 13; a %= 8; a |= 2; a &= 6; a ^= 1; a", 7),
    (".a = 1; .a += 1; .a", 2),
    (".a = {b: {c: 3}}; .a.b.c", 3),
    (".a = {}; .a['any key'] = 1; .a['any key'] += 1", 2),
    (".a = [1, 2]; .a[0] = 'x'; .a[-1] += 1; .a", ["x", 3]),
    (".if = 1; .if", 1),
    ("{ x = 1; }; x", 1),
    ("x = 1; { x = 2; y = 3; }; [x, y]", [2, 3]),
    ("x = 1; if (true) { x = 2; }; x", 2),
    ("x = 1; for (i in [5]) { x = i; }; x", 5),
    ("x = 1; { x += 2; { x += 3; }; }; x", 6),
    ("x = 1; { y = x; x = 2; { x += 3; y = x; }; [x, y]; }", [5, 5]),
    ("for (x in [1, 2]) y = x; y", 2),
    (".id() == root().id()", True),
    # what is stored is copied for other properties, not for variables
    (".a = [1]; b = .a; b.push(2); .a", [1, 2]),
    (".a = [1]; .b = .a; .b.push(2); .a", [1]),
    (".a = set(); b = .a; b.add({}); .a.len()", 1),
    (".a = {}; b = .a; b.x = 1; .a.x", 1),
    # index and slice
    ("'abc'[1]", "b"),
    ("'abc'[-1:]", "c"),
    ("'abc'[::-1]", "cba"),
    ("'abc'[]", "abc"),
    ("[1, 2, 3][1:]", [2, 3]),
    ("[1, 2, 3][:nil:2]", [1, 3]),
    ("[0, 1][5:]", []),
    # if, for, return
    ("if (true) 42", 42),
    ("if (false) 42", False),
    ("if ([]) 42", []),
    ("if (0) { 1 } else { 2 }", 2),
    ("if (0) 1 else if (1) 2 else 3", 2),
    ("x = 42; if(x)return{x}else{return 13;}; 0", 42),
    ("for (x in range(10)) if (x == 7) break; x", 7),
    ("s = 0; for (x in range(10)) { if (x % 2) continue; s += x; }; s", 20),
    ("for (x, y in ['a', 'b', 'c', 'd']) if(y==2) return x;", "c"),
    ("for (k, v in {a: 0, c: 2}) if (v == 2) return k;", "c"),
    ("for (t, id in set({c: 2})) if (id == nil) return t;", {"c": 2}),
    ("x = 5; for (x in []) nil; x", 5),
    ("for (x in [1]) nil", None),
    ("return {a: {b: {c: {}}}}", {"a": {}}),
    ("return {a: {b: {c: {}}}}, 0", {}),
    ("return {a: {b: {c: {}}}}, 2", {"a": {"b": {}}}),
    (".a = {b: {}}; return .a, 1, NO_IDS", {"b": {}}),
    (".a = {b: {}}; .a", {"#": 3, "b": {"#": 4}}),
    (".a = 10; .a = return 11; 0", 11),
    ("[0, 1, 2].map(|x| { return x + 1; 0; })", [1, 2, 3]),
    ("(|x| { try(return x + 1); 0; }).call(41)", 42),
    (".has('users') || { .users = []; }; .users", []),
    (".has('users') || .users = [1]; .users", [1]),
    # closures
    ("f = |a, b| [a, b]; f(1)", [1, None]),
    ("f = |a| a; f(1, 2)", 1),
    ("x = 1; f = || x; x = 2; f()", 2),
    ("x = 1; (|x| x = 5).call(2); x", 1),
    ("x = 1; (|| x = 5).call(); x", 1),
    ("x = 1; (|| x += 5).call(); x", 6),
    (".t = {f: |n| n * 2}; .t.f(21)", 42),
    ("str(|n| n)", "|n| n"),
    # str
    ("'Ab'.lower() + 'Ab'.upper()", "abAB"),
    ("' a '.trim() + '|' + ' a '.trim_left() + '|' + ' a '.trim_right()", "a|a | a"),
    ("'abc'.contains('b') && 'abc'.starts_with('a') && 'abc'.ends_with('c')", True),
    ("'a,b,c'.split(',')", ["a", "b", "c"]),
    ("'a,b,c'.split(',', 1)", ["a", "b,c"]),
    ("'a b  c'.split()", ["a", "b", "c"]),
    ("'a1b22c'.split(/[0-9]+/)", ["a", "b", "c"]),
    ("'aaa'.replace('a', 'b', 2)", "bba"),
    ("'a1b22'.replace(/[0-9]+/, '#')", "a#b#"),
    ("['a', 'b'].join('-')", "a-b"),
    ("'über'.len()", 5),
    ("/^A/i.test('abc')", True),
    ("/(b)(x)?/.match('abc')", ["b", "b"]),
    ("/(x)?(b)/.match('abc')", ["b", "", "b"]),
    ("/z/.match('abc')", None),
    # list
    ("a = [1]; [a.push(2, 3), a]", [3, [1, 2, 3]]),
    ("a = [1, 2]; [a.pop(), a.shift(), a]", [2, 1, []]),
    ("a = [3]; a.unshift(1, 2); a", [1, 2, 3]),
    ("a = [1]; a.extend([2, [3]]); a", [1, 2, [3]]),
    ("a = [1]; a.extend_unique([1, 2, 2]); a", [1, 2]),
    ("a = [1, 2, 3, 4]; [a.splice(1, 2, 'x'), a]", [[2, 3], [1, "x", 4]]),
    ("a = [1, 2, 3]; [a.remove(|x| x > 1), a]", [[2, 3], [1]]),
    ("a = [1, 2]; a.clear(); a", []),
    ("[1, 2].fill(0)", [0, 0]),
    ("[[1, 2].first(), [1, 2].last(), [].first(nil), [].last(5)]", [1, 2, None, 5]),
    ("[3, 4].index_of(4)", 1),
    ("[3, 4].index_of(5)", None),
    ("[3, 4].find_index(|x| x == 4)", 1),
    ("[3, 4].find(|x| x > 3)", 4),
    ("[3, 4].find(|x| x > 4, 'none')", "none"),
    ("[3, 4].has(4)", True),
    ("[1, 2, 3].map(|x, i| x * i)", [0, 2, 6]),
    ("[1, 2, 3].filter(|x| x % 2)", [1, 3]),
    ("s = 0; [1, 2].each(|x| s += x); s", 3),
    ("[[1, 2].some(|x| x > 1), [1, 2].every(|x| x > 1)]", [True, False]),
    ("[1, 2, 1].count(1)", 2),
    ("[1, 2, 3].count(|x| x > 1)", 2),
    ("[1, 2, 3].reduce(|a, b| a + b)", 6),
    ("[1, 2, 3].reduce(|a, b| a + b, 10)", 16),
    ("[1, 2.5].sum()", 3.5),
    ("[{n: 1}, {n: 2}].sum(|t| t.n)", 3),
    ("[3, 1, 2].sort()", [1, 2, 3]),
    ("[3, 1, 2].sort(true)", [3, 2, 1]),
    ("['bb', 'a'].sort(|s| s.len())", ["a", "bb"]),
    ("[1, 3, 2].sort(|a, b| b - a)", [3, 2, 1]),
    ("[1, 2].reverse()", [2, 1]),
    ("[1, 2, 1.0].unique()", [1, 2]),
    ("[1, 1].is_unique()", False),
    ("[1, [2, [3]]].flat()", [1, 2, [3]]),
    ("a = [1]; b = a.copy(); b.push(2); a", [1]),
    ("type([[]][0])", "tuple"),
    ("list(set({a: 1}))", [{"a": 1}]),
    # thing
    ("t = {a: 1}; [t.get('a'), t.get('b'), t.get('b', 0)]", [1, None, 0]),
    ("t = {}; t.set('a b', 1); t.keys()", ["a b"]),
    ("t = {a: 1}; t.del('a'); t", {}),
    ("t = {a: 1, b: 2}; t.ren('a', 'c'); t", {"c": 1, "b": 2}),
    ("{a: 1, b: [2]}.values()", [1, [2]]),
    ("{a: 1}.len()", 1),
    ("{a: 1, b: 2}.map(|k, v| `{k}{v}`)", ["a1", "b2"]),
    ("{a: 1, b: 2}.filter(|k, v| v > 1)", {"b": 2}),
    ("{a: 1}.vmap(|v| v + 1)", {"a": 2}),
    ("{a: 1}.assign({b: 2})", {"a": 1, "b": 2}),
    ("{a: [1]}.equals({a: [1]})", True),
    ("t = {a: {b: 1}}; c = t.copy(2); c.a.b = 2; t.a.b", 1),
    ("t = {a: {b: 1}}; c = t.copy(); c.a.b = 2; t.a.b", 2),
    ("t = {a: 1}; t.clear(); t", {}),
    ("{}.id()", None),
    (".t = {}; thing(.t.id()) == .t", True),
    # set
    ("s = set(); a = {}; [s.add(a, {}), s.add(a), s.len(), s.has(a)]", [2, 0, 2, True]),
    ("a = {}; s = set([a]); [s.remove(a).len(), s.len()]", [1, 0]),
    ("s = set({a: 1}, {a: 2}); [s.remove(|t| t.a == 1), s]", [[{"a": 1}], [{"a": 2}]]),
    ("set({a: 1}).one()", {"a": 1}),
    ("set({a: 1}, {a: 2}).filter(|t| t.a > 1)", [{"a": 2}]),
    # conversions and checks
    ("[int('12'), int(3.9), int(-3.9), int(true), int('0xff'), int()]", [12, 3, -3, 1, 255, 0]),
    ("[float('1.5'), float(2)]", [1.5, 2.0]),
    ("[bool([]), bool({a: 1}), bool(nil)]", [False, True, False]),
    (
        "[str(nil), str(1.5), str({}), str(room()), str(bytes('a'))]",
        ["nil", "1.5", "thing:nil", "room:nil", "a"],
    ),
    ("bytes('é')", "é".encode()),
    (
        "[nil, true, 1, 1.0, '', bytes(), [], {}, set(), room(), ||1, /a/, err()].map(|v| type(v))",
        [
            "nil",
            "bool",
            "int",
            "float",
            "str",
            "bytes",
            "tuple",
            "thing",
            "tuple",
            "room",
            "closure",
            "regex",
            "error",
        ],
    ),
    ("[is_nil(nil), is_int(1), is_int(true), is_str(1), is_err(try(1/0)), is_array([])]", [1, 1, 0, 0, 1, 1]),
    ("range(3) == [0, 1, 2]", True),
    ("range(5, 0, -2)", [5, 3, 1]),
    (
        "[abs(-1), round(2.5), round(-2.5), round(1.25, 1), floor(-1.5), ceil(1.2)]",
        [1, 3.0, -3.0, 1.3, -2, 2],
    ),
    ("[sqrt(4), pow(2, 3)]", [2.0, 8.0]),
    ("json_dump({a: [1, nil, 'x']})", '{"a":[1,null,"x"]}'),
    ("json_load('{\"a\": [1]}').a", [1]),
    ("base64_decode(base64_encode('a'))", b"a"),
    ("datetime(0)", "1970-01-01T00:00:00Z"),
    ("int(datetime('2020-01-02T00:00:00+0100'))", 1577919600),
    ("datetime(1) > datetime(0)", True),
    ("is_float(now())", True),
    ("timeit(1 + 1).data", 2),
    ("wse(.x = 1)", 1),
    # errors as values
    ("try(1 / 0)", "division or modulo by zero"),
    ("try(1 / 0).code()", -58),
    ("try(1 / 0, lookup_err(), zero_div_err())", "division or modulo by zero"),
    ("try(1 / 0, zero_div_err())", "division or modulo by zero"),
    ("try(raise('no')).msg()", "no"),
    ("err(-110, 'mine').code()", -110),
    ("is_err(err()) && !err()", True),
    ("alt_raise(42, -100, 'no')", 42),
    ("assert(true)", None),
    # rooms
    ("room().id()", None),
    (".r = room(); [.r.id(), str(.r), room(.r.id()) == .r]", [3, "room:3", True]),
    (".r = room(); .r.set_name('chat'); [.r.name(), room('chat').id()]", ["chat", 3]),
    ("room().emit('nobody hears it')", None),
    # procedures
    ("new_procedure('f', |x| x * 10)", "f"),
    ("new_procedure('f', |x| x * 10); run('f', 4)", 40),
    ("new_procedure('f', || 1); mod_procedure('f', || 2); run('f')", 2),
    (
        "new_procedure('f', || 1); rename_procedure('f', 'g'); [has_procedure('f'), has_procedure('g')]",
        [0, 1],
    ),
    ("new_procedure('f', || 1); del_procedure('f'); has_procedure('f')", False),
    ("new_procedure('f', |a| { 'What it does'; a; }); procedure_doc('f')", "What it does"),
    ("new_procedure('f', |a| a); procedure_info('f').load().arguments", ["a"]),
    ("new_procedure('f', |a| a); procedures_info().len()", 1),
]


@pytest.mark.parametrize(("code", "expected"), RESULTS, ids=[code for code, _ in RESULTS])
def test_result(code: str, expected: Any) -> None:
    result = Stuff()(code)
    assert result == expected
    assert type(result) is type(expected)


BIG = f"range(2048).map(|| '{'a' * 1024}').join('')"
"""Code for a text of 2 Mi characters."""

ERRORS: list[tuple[str, type[errors.ThingsDBError], str]] = [
    ("1 +", errors.SyntaxError, "line 1, column 4: expected a value, found the end"),
    ("a\n  b", errors.SyntaxError, "line 2, column 3: expected `;`, the end"),
    ("if (1", errors.SyntaxError, "line 1, column 6: expected .*`\\)`.* found the end"),
    ("{a: 1, 2}", errors.SyntaxError, "line 1, column 8: expected a name"),
    ("'open", errors.SyntaxError, "line 1, column 1"),
    ("`open", errors.SyntaxError, "found the end"),
    ("1 = 2", errors.SyntaxError, "expected a variable, a property or an index"),
    ("|x|", errors.SyntaxError, "expected a value"),
    ("break", errors.SyntaxError, "illegal `break` statement; no surrounding"),
    ("for (x in []) || continue", errors.SyntaxError, "illegal `continue` statement; no surrounding"),
    ("$", errors.SyntaxError, r"found '\$'"),
    ("(" * 100 + ")" * 100, errors.SyntaxError, "expected a value"),
    ("(" * 100 + "1" + ")" * 100, errors.SyntaxError, "levels of nesting"),
    ("1;" * 40_000, errors.SyntaxError, "characters of code"),
    ("9223372036854775807 + 1", errors.OverflowError, "integer overflow"),
    ("9223372036854775808", errors.OverflowError, "integer overflow"),
    ("-9223372036854775809", errors.OverflowError, "integer overflow"),
    ("9" * 5000, errors.OverflowError, "integer overflow"),
    ("int(1.0e+300)", errors.OverflowError, "integer overflow"),
    ("int('9' + '9' + '99999999999999999999')", errors.OverflowError, "integer overflow"),
    ("1 / 0", errors.ZeroDivisionError, "division or modulo by zero"),
    ("1 % 0.5", errors.ZeroDivisionError, "division or modulo by zero"),
    ("1 + nil", errors.TypeError, r"`\+` not supported between `int` and `nil`"),
    ("1 < 'a'", errors.TypeError, "`<` not supported between `int` and `str`"),
    ("[] + []", errors.TypeError, r"`\+` not supported between `list` and `list`"),
    ("-'a'", errors.TypeError, "operation not supported by type `str`"),
    ("x", errors.LookupError, "variable `x` is undefined"),
    ("x += 1", errors.LookupError, "variable `x` is undefined"),
    (".x", errors.LookupError, "thing `#2` has no property `x`"),
    ("{}.x", errors.LookupError, "thing `#0` has no property `x`"),
    ("(1).x", errors.TypeError, "type `int` has no properties"),
    ("#99", errors.SyntaxError, "expected"),
    ("thing(1)", errors.LookupError, "no `thing` with id 1"),
    ("thing(99)", errors.LookupError, "no `thing` with id 99"),
    ("room(99)", errors.LookupError, "no `room` with id 99"),
    ("room('x')", errors.LookupError, "no `room` with name `x`"),
    ("room(nil)", errors.TypeError, "cannot convert type `nil` to `room`"),
    ("room(nil, nil)", errors.NumArgumentsError, "`room` takes at most 1 argument but 2 were given"),
    ("[1][1]", errors.LookupError, "out of range"),
    ("[1]['a']", errors.TypeError, "index of type `int`"),
    ("nil[0]", errors.TypeError, "not indexable"),
    ("'a'[0] = 'b'", errors.TypeError, "does not support index assignments"),
    ("[[1]][0][0] = 2", errors.TypeError, "type `tuple` does not support"),
    ("[[1]][0].push(2)", errors.LookupError, "type `tuple` has no function `push`"),
    ("[1][::0]", errors.ValueError, "step cannot be zero"),
    ("{}['#'] = 1", errors.ValueError, "property `#` is reserved"),
    ("(1).a = 2", errors.TypeError, "cannot assign properties to `int` type"),
    ("unknown()", errors.LookupError, "function `unknown` is undefined"),
    ("nil.unknown()", errors.LookupError, "type `nil` has no function `unknown`"),
    ("x = 1; x()", errors.TypeError, "variable `x` is of type `int`"),
    ("{a: 1}.a()", errors.TypeError, "property `a` is of type `int`"),
    ("set_type('A', {})", errors.LookupError, "this node has no types of one's own; a real ThingsDB runs it"),
    ("A{x: 1}", errors.LookupError, "this node has no types of one's own; a real ThingsDB runs it"),
    ("future(|| 1)", errors.LookupError, "this node has no futures; a real ThingsDB runs it"),
    ("'a'.upper(1)", errors.NumArgumentsError, "`upper` takes 0 arguments but 1 was given"),
    ("range()", errors.NumArgumentsError, "`range` requires at least 1 argument but 0 were given"),
    ("try()", errors.NumArgumentsError, "`try` requires at least 1 argument but 0 were given"),
    (
        "'a'.starts_with(1)",
        errors.TypeError,
        "`starts_with` expects argument 1 to be of type `str` but got type `int` instead",
    ),
    ("'a'.split(nil)", errors.TypeError, "of type `str` or type `int` or type `regex` but got type `nil`"),
    ("for (x in 3) nil", errors.TypeError, "type `int` is not iterable"),
    ("[].pop()", errors.LookupError, "pop from empty list"),
    ("set().one()", errors.LookupError, "one from empty set"),
    ("set(1)", errors.TypeError, "cannot convert type `int` to `set`"),
    ("set().add(nil)", errors.TypeError, "cannot add type `nil` to a set"),
    ("{}.del('x')", errors.LookupError, "has no property `x`"),
    ("[1, 'a'].sort()", errors.TypeError, "not supported between"),
    ("[1].join()", errors.TypeError, "expecting item 0 to be of type `str`"),
    ("int(nil)", errors.TypeError, "cannot convert type `nil` to `int`"),
    ("str([])", errors.TypeError, "cannot convert type `list` to `str`"),
    ("str(base64_decode('/w=='))", errors.ValueError, "UTF8"),
    ("/(/.test('a')", errors.ValueError, "cannot compile regular expression"),
    ("json_load('{')", errors.ValueError, "expected JSON"),
    ("json_load('\"\\ud800\"')", errors.ValueError, "expected JSON"),
    ("json_dump(bytes('a'))", errors.TypeError, "`bytes` is not JSON serializable"),
    ("datetime('soon')", errors.ValueError, "invalid date/time string"),
    ("return nil, -1", errors.ValueError, "between 0 and 127 but got -1"),
    ("return nil, nil", errors.TypeError, "`deep` to be of type `int` but got type `nil`"),
    ("raise('text')", errors.CustomError, "text"),
    ("raise(lookup_err('gone'))", errors.LookupError, "gone"),
    ("raise(err(-50, 'no'))", errors.AssertionError, "no"),
    ("assert(1 > 2)", errors.AssertionError, "failed"),
    ("assert(1 > 2, 'mine')", errors.AssertionError, "mine"),
    ("alt_raise(1 / 0, -54)", errors.LookupError, "division"),
    ("err(5)", errors.ValueError, "between -127 and -50 but got 5"),
    ("try(1 / 0, lookup_err())", errors.ZeroDivisionError, "division"),
    ("try(1 / 0, -58)", errors.TypeError, "of type `error` but got type `int`"),
    ("type_assert(1, 'str')", errors.TypeError, "invalid type `int`"),
    ("run('f')", errors.LookupError, "procedure `f` not found"),
    ("new_procedure('no good', || 1)", errors.ValueError, "procedure name must follow the naming rules"),
    ("new_procedure('f', || 1); new_procedure('f', || 1)", errors.LookupError, "already exists"),
    (
        ".a = room(); .b = room(); .a.set_name('x'); .b.set_name('x')",
        errors.LookupError,
        "already has a room",
    ),
    ("room().emit()", errors.NumArgumentsError, "requires at least 1 argument"),
    # code that would run for ever, or fill the memory
    ("for (x in range(100000)) for (y in range(100)) nil", errors.MaxQuotaError, "steps"),
    ("range(100).each(|| range(100).each(|| range(1000)))", errors.MaxQuotaError, "steps|range"),
    ("range(9223372036854775807)", errors.OperationError, "maximum range length exceeded"),
    ("x = 'a'; for (i in range(100)) x += x", errors.MaxQuotaError, "characters"),
    ("x = 'a'; for (i in range(100)) x = `{x}{x}`", errors.MaxQuotaError, "characters"),
    ("x = ['a']; for (i in range(100)) x = [x, x]", errors.MaxQuotaError, "steps"),
    ("x = [1]; range(100).each(|| x.extend(x))", errors.MaxQuotaError, "steps"),
    ("x = [1]; for (i in range(100)) x = [x]", errors.ValueError, "lists within each other"),
    (
        "x = 'aaaaaaaa'; for (i in range(40)) x = x.replace('a', 'aa')",
        errors.MaxQuotaError,
        "characters|steps",
    ),
    ("f = || f(); f()", errors.OperationError, "maximum recursion depth exceeded"),
    (
        "t = {}; range(200).each(|i| t.set(`p{i}`, range(20000))); return t",
        errors.MaxQuotaError,
        "range|steps",
    ),
    (f"s = {BIG}; l = []; for (i in range(1000)) l.push(s + str(i))", errors.MaxQuotaError, "steps"),
    (f"s = {BIG}; l = []; for (i in range(1000)) l.push(`{{s}}{{i}}`)", errors.MaxQuotaError, "steps"),
    (f"s = {BIG}; l = []; for (i in range(1000)) l.push(s)", errors.MaxQuotaError, "steps"),
    (f"s = {BIG}; " + "".join(f"a{i} = s + 'x'; " for i in range(300)), errors.MaxQuotaError, "steps"),
    (f"s = {BIG}; [{'s + 1, ' * 300}]".replace("1", "'a'"), errors.MaxQuotaError, "steps"),
    (f"s = {BIG}; range(300).map(|| s.upper())", errors.MaxQuotaError, "steps"),
    (f"s = {BIG}; .r = room(); for (i in range(1000)) .r.emit('a', s)", errors.MaxQuotaError, "steps"),
    (f"s = {BIG}; for (i in range(1000)) log(s)", errors.MaxQuotaError, "steps"),
    (f"s = {BIG}; t = {{a: [s]}}; l = []; return range(200).map(|| t)", errors.ResultTooLargeError, "result"),
    ("l = range(9000); t = {}; for (i in range(1000)) t[`p{i}`] = l", errors.MaxQuotaError, "steps"),
    ("l = range(9000); .t = {}; for (i in range(1000)) .t.set(`p{i}`, l)", errors.MaxQuotaError, "steps"),
    ("l = range(9000); v = []; for (i in range(1000)) v.push({l: l})", errors.MaxQuotaError, "steps"),
    ("l = range(9000); for (i in range(1000)) json_dump(l)", errors.MaxQuotaError, "steps"),
    ("l = range(9000); .r = room(); for (i in range(1000)) .r.emit('a', l)", errors.MaxQuotaError, "steps"),
    ("l = range(9000); for (i in range(1000)) l[1:]", errors.MaxQuotaError, "steps"),
    ("l = range(9000); for (i in range(1000)) l.reverse()", errors.MaxQuotaError, "steps"),
    ("s = set(range(900).map(|| {})); for (i in range(9000)) s | s", errors.MaxQuotaError, "steps"),
    (f"s = {BIG}.replace('a', '[],'); json_load(`[{{s}}0]`)", errors.MaxQuotaError, "steps"),
    # a part of a text is counted in bytes and has to be valid text
    ("'é'[0]", errors.ValueError, "no valid UTF8"),
    ("'aé'[:2]", errors.ValueError, "no valid UTF8"),
    ("'é'[::-1]", errors.ValueError, "no valid UTF8"),
    # messages of errors have a maximal length
    (f"raise({BIG})", errors.ValueError, "error messages should not exceed 16383 characters, got 2097152"),
    (f"err(-100, {BIG})", errors.ValueError, "should not exceed"),
    (f"type_err({BIG})", errors.ValueError, "should not exceed"),
    (f"assert(false, {BIG})", errors.ValueError, "should not exceed"),
    (f"type_assert(1, 'str', {BIG})", errors.ValueError, "should not exceed"),
]


@pytest.mark.parametrize(
    ("code", "kind", "said"), ERRORS, ids=[code if len(code) < 80 else code[:40] + "…" for code, *_ in ERRORS]
)
def test_error(code: str, kind: type[errors.ThingsDBError], said: str) -> None:
    with pytest.raises(kind, match=said) as raised:
        Stuff()(code)
    assert type(raised.value) is kind


def test_custom_codes_are_kept() -> None:
    with pytest.raises(errors.CustomError) as raised:
        Stuff()("raise(err(-120, 'mine'))")
    assert raised.value.error_code == -120


def test_variables_become_values() -> None:
    stuff = Stuff()
    given = {"book": {"title": "T"}, "tags": [1, [2]]}
    types = stuff("[book.title, type(book), type(tags), type(tags[1])]", **given)
    assert types == ["T", "thing", "list", "tuple"]
    assert stuff(".book = book; .book", **given) == {"#": 3, "title": "T"}


@pytest.mark.parametrize(
    ("variables", "kind"),
    [
        ({"a": {"#": 1}}, errors.ValueError),
        ({"a": {1: 1}}, errors.TypeError),
        ({"a b": 1}, errors.ValueError),
        ({"a": 1 << 63}, errors.OverflowError),
        ({"a": object()}, errors.TypeError),
        ({"a": functools.reduce(lambda inner, _: [inner], range(5000), [])}, errors.ValueError),
        ({"a": functools.reduce(lambda inner, _: {"a": inner}, range(5000), {})}, errors.ValueError),
    ],
)
def test_invalid_variables(variables: dict[str, Any], kind: type[errors.ThingsDBError]) -> None:
    with pytest.raises(kind):
        Stuff()("nil", **variables)


def test_logs_are_returned_with_the_query() -> None:
    stuff = Stuff()
    stuff("log('one'); log({a: 1}); log(2)")
    assert stuff.logs == ["one", "thing:nil", "2"]
    with pytest.raises(errors.TypeError, match="cannot convert type `list` to `str`"):
        stuff("log([])")


def test_a_query_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SECONDS", 0.05)
    with pytest.raises(errors.MaxQuotaError, match="seconds"):
        Stuff()("x = range(100000); for (i in range(100000)) x.has(-1)")


def test_the_size_of_a_result_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_VALUES", 10_000)
    with pytest.raises(errors.ResultTooLargeError, match="at most 10000 values"):
        Stuff()("a = {}; for (x in range(50)) a = {l: a, r: a}; return a, 127")

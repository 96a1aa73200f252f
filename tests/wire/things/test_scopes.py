"""Scopes as text, short and long, and the code that is sent to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from thingsdb.util import cnscope as genuine_cnscope
from thingsdb.util import strip_code as genuine_strip_code

from flowthings_like.wire.things import errors as things_errors
from flowthings_like.wire.things.code import strip_code
from flowthings_like.wire.things.scopes import Scope, cnscope, is_name, parse_scope
from tests.wire.things import strategies

THINGSDB = Scope("thingsdb")
NODE = Scope("node")
STUFF = Scope("collection", "stuff")
FORMS = {
    "@t": THINGSDB,
    "/t": THINGSDB,
    "@thingsdb": THINGSDB,
    "/things": THINGSDB,
    "@n": NODE,
    "/n": NODE,
    "@node": NODE,
    "@n:": NODE,
    "@n:0": Scope("node", node=0),
    "/no/63": Scope("node", node=63),
    "@node:07": Scope("node", node=7),
    "@:stuff": STUFF,
    "@c:stuff": STUFF,
    "@collection:stuff": STUFF,
    "//stuff": STUFF,
    "/c/stuff": STUFF,
    "/collection/stuff": STUFF,
    "//_": Scope("collection", "_"),
    "//" + "a" * 255: Scope("collection", "a" * 255),
}
MALFORMED = {
    "": "'@thingsdb', '@node' or '@collection:NAME'",
    "@": "'@thingsdb', '@node' or '@collection:NAME'",
    "stuff": "'@thingsdb', '@node' or '@collection:NAME'",
    "x:y": "'@thingsdb', '@node' or '@collection:NAME'",
    "@t:": "'@t', with nothing behind it",
    "/thingsdb/x": "'/thingsdb', with nothing behind it",
    "@tx": "'thingsdb', 'node' or 'collection:NAME' behind '@'",
    "@thingsdbs": "behind '@'",
    "@T": "behind '@'",
    "@c/stuff": "'thingsdb', 'node' or 'collection:NAME' behind '@'",
    "/c:stuff": "'thingsdb', 'node' or 'collection/NAME' behind '/'",
    "@c": "'collection:NAME' behind '@'",
    "/stuff": "'collection/NAME' behind '/'",
    "@n:64": "a node's id from 0 to 63",
    "@n:-1": "a node's id from 0 to 63",
    "@node:x": "a node's id from 0 to 63",
    "@n:\u0663": "a node's id from 0 to 63",
    "@n:" + "0" * 5000: "a node's id from 0 to 63",
    "//": "a collection's name",
    "//stuff/": "a collection's name",
    "@:stuff:": "a collection's name",
    "@:1a": "a collection's name",
    "//stüff": "a collection's name",
    "//stuff\n": "a collection's name",
    "//" + "a" * 256: "a collection's name",
}


@pytest.mark.parametrize("text", FORMS)
def test_forms(text: str) -> None:
    assert parse_scope(text) == FORMS[text]


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: text[:20] or "empty")
def test_malformed(text: str) -> None:
    with pytest.raises(things_errors.ValueError) as caught:
        parse_scope(text)
    assert MALFORMED[text] in str(caught.value)
    assert repr(text)[1:20] in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_scope_is_text() -> None:
    with pytest.raises(things_errors.TypeError, match=r"a scope is a str such as '@:stuff', not int"):
        parse_scope(7)  # type: ignore[arg-type]


scopes = st.one_of(
    st.just(THINGSDB),
    st.just(NODE),
    st.builds(lambda node: Scope("node", node=node), st.integers(0, 63)),
    st.builds(lambda name: Scope("collection", name), strategies.names),
)


@given(scopes)
def test_the_full_form_is_read_back(scope: Scope) -> None:
    assert parse_scope(str(scope)) == scope


@given(strategies.names)
def test_the_full_form_is_the_one_a_node_writes(name: str) -> None:
    assert str(parse_scope(f"//{name}")) == f"@collection:{name}"


@given(st.text(max_size=12) | st.text("@/:tnc0a", max_size=8))
def test_no_text_but_a_scope_is_one(text: str) -> None:
    try:
        scope = parse_scope(text)
    except things_errors.ValueError:
        return
    assert parse_scope(str(scope)) == scope


@given(strategies.names)
def test_cnscope_as_the_genuine(name: str) -> None:
    for text in (f"//{name}", f"@:{name}", f"/collection/{name}"):
        assert cnscope(text) == genuine_cnscope(text) == name


@pytest.mark.parametrize("text", ["@t", "@n", "@node:x", "@n:3", "x:y", "stuff"])
def test_cnscope_takes_nothing_but_collections(text: str) -> None:
    with pytest.raises(ValueError, match="invalid scope"):
        cnscope(text)


def test_names() -> None:
    assert all(map(is_name, ["a", "_9", "A" * 255]))
    assert not any(map(is_name, ["", "9a", "a b", "a\n", "ä", "a" * 256]))


CODE = {
    "//ti\n  1+1; ": "1+1;",
    "// a\n// b\n1": "// b\n1",
    "// only": "",
    "//a\r\n1": "1",
    "  \n/* a */ 1;\n": "/* a */ 1;",
    '"// no comment"': '"// no comment"',
    "1 // last": "1 // last",
    "": "",
}


@pytest.mark.parametrize("code", CODE)
def test_strip_code(code: str) -> None:
    assert strip_code(code) == CODE[code] == genuine_strip_code(code)


@given(st.text("/ \n\r\t\x0b\u2028*a1;", max_size=30))
def test_strip_code_as_the_genuine(code: str) -> None:
    assert strip_code(code) == genuine_strip_code(code)

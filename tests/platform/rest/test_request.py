"""Taking a URL apart."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.platform.problems import BadRequest, NotFound
from flowthings_like.platform.rest import request

DROP = "d" + "0123456789ab" * 2
SEGMENT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(deadline=None, max_examples=100)
@given(SEGMENT, st.lists(SEGMENT, max_size=4), st.integers(0, 2))
def test_segments_are_split_before_they_are_decoded(account: str, rest: list[str], slashes: int) -> None:
    encoded = "/".join(quote(segment, safe="") for segment in ["v1", account, "flow", *rest])
    assert request.target("/" + encoded + "/" * slashes) == ("v1", account, "flow", tuple(rest))


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/drop/%2Facme%2Fx", ("/acme/x",)),
        (f"/drop/%2Facme%2Fx/{DROP}", ("/acme/x", DROP)),
        ("/drop//acme/x", ("/acme/x",)),
        ("/drop//acme/x/", ("/acme/x",)),
        (f"/drop//acme/x/y/{DROP}", ("/acme/x/y", DROP)),
        (f"/drop//acme/x/{DROP}/elems", ("/acme/x", DROP, "elems")),
        ("/drop//acme/x/aggregate", ("/acme/x", "aggregate")),
        ("/drop//acme/aggregate", ("/acme/aggregate",)),  # a flow of that name: an account alone is no flow
        ("/drop/f1/aggregate/", ("f1", "aggregate")),
        ("/drop/", ()),
        ("/drop//", ()),
    ],
)
def test_a_flow_can_be_named_by_its_path(path: str, rest: tuple[str, ...]) -> None:
    assert request.target(f"/v4.0/acme{path}").rest == rest


@pytest.mark.parametrize(
    "path", ["", "/", "/v4.0", "/v4.0/acme", "/v4.0//flow", "/acme/flow/x", "/4.0/acme/flow"]
)
def test_other_shapes_are_not_found(path: str) -> None:
    with pytest.raises(NotFound, match="paths look like"):
        request.target(path)


def test_a_path_must_be_utf8() -> None:
    with pytest.raises(BadRequest, match="UTF-8"):
        request.target("/v4.0/acme/flow/%ff")


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"RAW_URI": "/v1/a/drop/%2Fx?y=/"}, "/v1/a/drop/%2Fx"),
        ({"RAW_URI": "http://host:80/v1/a/flow?x"}, "/v1/a/flow"),
        ({"PATH_INFO": "/v1/a/flow"}, "/v1/a/flow"),
        ({"PATH_INFO": "/v1/\u00c3\u00a4"}, "/v1/%C3%A4"),
    ],
)
def test_the_undecoded_path_is_found_where_the_server_puts_it(environ: dict[str, Any], path: str) -> None:
    assert request.raw_path(environ) == path


def test_parameters_keep_their_empty_and_repeated_values() -> None:
    assert request.query({"QUERY_STRING": "filter=&sort=a&sort=b"}) == {"filter": [""], "sort": ["a", "b"]}
    assert request.query({"QUERY_STRING": ""}) == {}
    with pytest.raises(BadRequest, match="UTF-8"):
        request.query({"QUERY_STRING": "filter=%ff"})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("pretty=true", True),
        ("a=1&pretty=1", True),
        ("pretty=false", False),
        ("xpretty=true", False),
        ("", False),
    ],
)
def test_pretty_is_asked_for_in_the_query(query: str, expected: bool) -> None:
    assert request.pretty({"QUERY_STRING": query}) is expected

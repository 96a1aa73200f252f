"""URLs of nodes: the five forms, what is wrong with others, and that secrets stay out of sight."""

from __future__ import annotations

import pickle
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.errors import ConfigurationError
from flowthings_like.transport.things.endpoints import Endpoint, parse_endpoint


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("things://h", Endpoint("tcp", "h", 9200)),
        ("things://h:1/", Endpoint("tcp", "h", 1)),
        ("things://me:pw@h:1", Endpoint("tcp", "h", 1, "", "me", "pw")),
        ("things://me:@h", Endpoint("tcp", "h", 9200, "", "me", "")),
        ("things://a%40b:p%3A%2F@h", Endpoint("tcp", "h", 9200, "", "a@b", "p:/")),
        ("things://to%2Bken@h", Endpoint("tcp", "h", 9200, "", None, None, "to+ken")),
        ("things://to/k+en@h", Endpoint("tcp", "h", 9200, "", None, None, "to/k+en")),
        ("things+tls:///token/@h:1/", Endpoint("tls", "h", 1, "", None, None, "/token/")),
        ("things://me:p/w?#[@h", Endpoint("tcp", "h", 9200, "", "me", "p/w?#[")),
        ("things://me:p@w@h", Endpoint("tcp", "h", 9200, "", "me", "p@w")),
        ("unix://to/ken@/run/a@b", Endpoint("unix", "", 0, "/run/a@b", None, None, "to/ken")),
        ("unix:///run/to/ken@/x", Endpoint("unix", "", 0, "/run/to/ken@/x")),
        (
            "ws://abcdefghijk/mnopqr+/uv@h:1",
            Endpoint("ws", "h", 1, "/", None, None, "abcdefghijk/mnopqr+/uv"),
        ),
        ("ws://h:1/a@b/c@d", Endpoint("ws", "h", 1, "/a@b/c@d")),
        ("wss://me:p%2Fw@h/a@b", Endpoint("wss", "h", 443, "/a@b", "me", "p/w")),
        ("things+tls://h:9400", Endpoint("tls", "h", 9400)),
        ("THINGS://H", Endpoint("tcp", "h", 9200)),
        ("things://[::1]:7", Endpoint("tcp", "::1", 7)),
        ("ws://h", Endpoint("ws", "h", 80, "/")),
        ("wss://me:pw@h/a/b?c=d", Endpoint("wss", "h", 443, "/a/b?c=d", "me", "pw")),
        ("unix:///run/x.sock", Endpoint("unix", "", 0, "/run/x.sock")),
        ("unix://token@/run/a%20b", Endpoint("unix", "", 0, "/run/a b", None, None, "token")),
    ],
)
def test_the_five_forms(url: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(url) == endpoint
    assert pickle.loads(pickle.dumps(endpoint)) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        None,
        b"things://h",
        "",
        "h",
        "h:9200",
        "http://h",
        "things:h",
        "things://",
        "things://:9200",
        "things://h:0",
        "things://h:port",
        "things://h:70000",
        "things://h/path",
        "things://h?query",
        "things://h#fragment",
        "things://@h",
        "things://:pw@h",
        "things://[::1",
        "things://a..b",
        "things://a b",
        "unix://host/path",
        "unix://",
        "unix:///path?query",
        "ws://me:p/w@h:1",
        "wss://me:p#w@h:1",
    ],
)
def test_others_are_refused_with_the_forms(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"things://user:password@host:9200.*unix:///path"):
        parse_endpoint(url)


@pytest.mark.parametrize(
    "url",
    [
        "things://me:s3cret@h:port",
        "nonsense://me:s3cret@h",
        "things://s3cret@h/x",
        "things://s3cret/s3cret@h?x",
        "me:s3cret@h://x",
        "ws://me:s3cret/s3cret@h",
    ],
)
def test_errors_keep_secrets(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_endpoint(url)
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cret" not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8")))
def test_what_is_quoted_comes_back(user: str, password: str) -> None:
    endpoint = parse_endpoint(f"things://{quote(user, safe='')}:{quote(password, safe='')}@h:1")
    assert endpoint.auth == (user, password)
    assert str(endpoint) == "things://h:1"
    assert repr(endpoint) == repr(Endpoint("tcp", "h", 1, "", user))
    token = parse_endpoint(f"wss://{quote(user, safe='')}@h:1/x")
    assert token.auth == (user,)
    assert (str(token), repr(token)) == ("wss://h:1/x", repr(Endpoint("wss", "h", 1, "/x")))


def test_what_to_write_is_said() -> None:
    """Where a / before the @ could be another part of the URL."""
    with pytest.raises(ConfigurationError, match="%2F"):
        parse_endpoint("ws://me:pass/word@h:9270")


TOKENS = st.text("ABCXYZabcxyz0189+/", min_size=22, max_size=22)


@given(TOKENS, st.sampled_from(["things", "things+tls", "ws", "wss"]))
def test_a_token_of_thingsdbs_stands_as_it_is(token: str, scheme: str) -> None:
    endpoint = parse_endpoint(f"{scheme}://{token}@h:1")
    assert (endpoint.auth, endpoint.address) == ((token,), "h:1")
    assert parse_endpoint(f"unix://{token}@/run/x").auth == (token,)


@pytest.mark.parametrize(
    "host", ["", "h:9200", "me:s3cret@h", "s3cret@h", "a..b", "x" * 64, "h/s3cret", "[::1]"]
)
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    with pytest.raises(ConfigurationError, match="things://user:password@host:9200") as caught:
        Endpoint("tcp", host, 9200)
    assert "s3cret" not in str(caught.value)


def test_addresses() -> None:
    assert parse_endpoint("things://[::1]:7").address == "[::1]:7"
    assert parse_endpoint("unix:///a").address == "/a"
    assert str(parse_endpoint("unix:///a")) == "unix:///a"
    assert parse_endpoint("things://h").auth == ()

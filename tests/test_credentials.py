"""Tokens, and the places in which credentials are searched."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API, ConfigurationError, FlowThingsError, Token


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, and no FLOWTHINGS_ variable in the environment."""
    for name in (
        "ACCOUNT",
        "TOKEN",
        "HOST",
        "WS_HOST",
        "SECURE",
        "VERSION",
        "TIMEOUT",
        "PROFILE",
        "CREDENTIALS",
    ):
        monkeypatch.delenv(f"FLOWTHINGS_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def write_profiles(home: Path, text: str, mode: int = 0o600) -> Path:
    path = home / ".flowthings" / "credentials"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_token_hides_its_secret_and_keeps_it() -> None:
    token = Token("acme", "s3cret")
    for shown in (repr(token), str(token), f"{token}", repr([token]), repr(API(token))):
        assert "s3cret" not in shown
    assert pickle.loads(pickle.dumps(token)) == copy.deepcopy(token) == token == Token("acme", "s3cret")
    assert pickle.loads(pickle.dumps(token)).token == "s3cret"
    assert len({token, Token("acme", "s3cret"), Token("acme", "other")}) == 2
    with pytest.raises(AttributeError):
        token.token = "x"  # type: ignore[misc]


@pytest.mark.parametrize("bad", ["", None, 3, "a\nb", "a b", "a\r", "日本"])
def test_a_token_can_stand_in_a_header(bad: Any) -> None:
    for arguments in ((bad, "t"), ("a", bad)):
        with pytest.raises(ConfigurationError) as caught:
            Token(*arguments)
        assert not bad or str(bad) not in str(caught.value)


def test_bluemix(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"name": "x", "credentials": {"account": "acme", "token": "t"}}
    monkeypatch.setenv("VCAP_SERVICES", json.dumps({"other": [3], "flowthings": [entry]}))
    assert Token.from_bluemix() == Token("acme", "t")
    monkeypatch.setenv("MINE", json.dumps({"flowthings-beta": [{}, entry]}))
    assert Token.from_bluemix(env_var="MINE") == Token("acme", "t")


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "{}", '{"flowthings": [{"credentials": {"account": "a", "token": 3}}]}']
)
def test_bluemix_without_credentials(text: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VCAP_SERVICES", raising=False)
    if text is not None:
        monkeypatch.setenv("VCAP_SERVICES", text)
    assert Token.from_bluemix(Token("d", "d")) == Token("d", "d")
    with pytest.raises(FlowThingsError, match="VCAP_SERVICES"):
        Token.from_bluemix()


def test_connect_lists_what_was_tried(home: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        API.connect()
    said = str(caught.value)
    for place in (
        "account=",
        "FLOWTHINGS_ACCOUNT",
        "FLOWTHINGS_TOKEN",
        "[default]",
        str(home),
        "no such file",
    ):
        assert place in said


def test_connect_by_arguments(home: Path) -> None:
    api = API.connect(account="acme", token="t", host="h", secure=False, timeout=3)
    assert (api.creds, api._connection.host, api._connection.secure) == (Token("acme", "t"), "h", False)
    assert API.connect(creds=Token("a", "b")).creds == Token("a", "b")


def test_connect_by_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ACCOUNT": "acme",
        "TOKEN": "t",
        "HOST": "env:8080",
        "SECURE": "no",
        "TIMEOUT": "2.5",
        "VERSION": "0.1",
    }.items():
        monkeypatch.setenv(f"FLOWTHINGS_{name}", value)
    connection = API.connect()._connection
    assert connection.rest_url("/flow") == "http://env:8080/v0.1/acme/flow"
    assert connection.timeout[:3] == (2.5, 2.5, 2.5)
    assert API.connect(host="arg")._connection.host == "arg"
    monkeypatch.setenv("FLOWTHINGS_SECURE", "maybe")
    with pytest.raises(ConfigurationError, match="true or false"):
        API.connect()


def test_connect_by_profile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_profiles(
        home,
        "[default]\naccount = a\ntoken = 100%%\n"
        "[prod]\naccount = p\ntoken = tp\nhost = prod.example\nsecure = 1\n",
    )
    assert API.connect().creds == Token("a", "100%%")
    assert API.connect("prod")._connection.host == "prod.example"
    monkeypatch.setenv("FLOWTHINGS_PROFILE", "prod")
    assert API.connect().creds == Token("p", "tp")
    assert API.connect("default").creds.account == "a"


def test_a_named_profile_comes_before_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_profiles(home, "[default]\naccount = d\ntoken = td\n[prod]\naccount = p\ntoken = tp\n")
    monkeypatch.setenv("FLOWTHINGS_ACCOUNT", "e")
    monkeypatch.setenv("FLOWTHINGS_TOKEN", "te")
    assert API.connect().creds == Token("e", "te")
    assert API.connect("prod").creds == Token("p", "tp")
    assert API.connect("prod", token="arg").creds == Token("p", "arg")


def test_another_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_profiles(home, "[default]\naccount = a\ntoken = t\n")
    moved = path.rename(home / "elsewhere.ini")
    monkeypatch.setenv("FLOWTHINGS_CREDENTIALS", str(moved))
    assert API.connect().creds == Token("a", "t")


def test_a_file_that_others_can_read_is_warned_about(home: Path) -> None:
    write_profiles(home, "[default]\naccount = a\ntoken = t\n", mode=0o644)
    with pytest.warns(UserWarning, match="chmod 600"):
        API.connect()
    write_profiles(home, "[default]\naccount = a\ntoken = t\n", mode=0o600)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        API.connect()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[other]\naccount = a\n", r"\[other\]"),
        ("[prod]\naccount = a\ntokn = hidden-one\n", "unknown tokn"),
        ("token = hidden-one\n", "no INI|not an INI"),
        ("[prod]\naccount = a\n", "no token found"),
    ],
)
def test_a_profile_that_does_not_do(home: Path, text: str, said: str) -> None:
    write_profiles(home, text)
    with pytest.raises(ConfigurationError, match=said) as caught:
        API.connect("prod")
    assert "hidden-one" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_named_profile_must_exist(home: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\[prod\] was asked for"):
        API.connect("prod", account="a", token="t")

"""Addresses of servers, and where endpoint and key are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowthings_like import ConfigurationError, InvalidInput
from flowthings_like.services.streams import endpoints
from flowthings_like.services.streams.endpoints import Endpoint, find_endpoint, parse_endpoint
from flowthings_like.streams import credentials, credentials_by_profile, streams_errors

pytestmark = pytest.mark.once

FILE = """
default:
  name: default
  btrdb:
    endpoints: "default.example.com:4411"
    api_key: "default-key"
lab:
  name: lab
  btrdb:
    endpoints: "lab.example.com:4410"
    api_key: "lab-key"
empty:
  name: empty
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no settings in the environment."""
    monkeypatch.setattr(endpoints, "CREDENTIALS", tmp_path / "credentials.yaml")
    for name in ("BTRDB_ENDPOINTS", "BTRDB_API_KEY", "BTRDB_PROFILE", "BTRDB_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def file(home: Path) -> Path:
    path = home / "credentials.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.com:4411", Endpoint("example.com", 4411, True)),
        ("example.com:4410", Endpoint("example.com", 4410)),
        ("example.com", Endpoint("example.com", 4411, True)),
        ("192.168.1.1:4411", Endpoint("192.168.1.1", 4411, True)),
        ("[::1]:4410", Endpoint("::1", 4410)),
        ("grpc://example.com", Endpoint("example.com", 4410)),
        ("grpc://example.com:4411", Endpoint("example.com", 4411)),
        ("grpcs://example.com", Endpoint("example.com", 4411, True)),
        ("grpcs://example.com:443/", Endpoint("example.com", 443, True)),
        ("grpcs://a%2Fkey@example.com", Endpoint("example.com", 4411, True, "a/key")),
    ],
)
def test_addresses(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text) == expected
    assert parse_endpoint(str(expected)) == Endpoint(expected.host, expected.port, expected.tls)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        None,
        4410,
        ":4410",
        "a:b",
        "a:0",
        "a:99999",
        "http://a",
        "a/b",
        "a b",
        "grpc://a/b?c",
        "k@a:1",
    ],
)
def test_what_is_no_address(text: object) -> None:
    with pytest.raises(ConfigurationError, match="host"):
        parse_endpoint(text)


def test_a_key_is_never_shown() -> None:
    endpoint = parse_endpoint("grpcs://secret@example.com")
    assert "secret" not in repr(endpoint) + str(endpoint)
    for text in ("grpcs://secret@example.com:x", "secret@example.com", "http://secret@example.com"):
        with pytest.raises(ConfigurationError) as caught:
            parse_endpoint(text)
        assert "secret" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="header") as caught:
        parse_endpoint("example.com", "secret\n")
    assert "secret" not in str(caught.value)


def test_a_bundle_of_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTRDB_CA_BUNDLE", "/certificates.pem")
    assert parse_endpoint("example.com:4411").tls == "/certificates.pem"
    assert parse_endpoint("example.com:4410").tls is False


def test_arguments_come_before_the_environment_and_that_before_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_endpoint(None, None, None) == Endpoint("default.example.com", 4411, True, "default-key")
    monkeypatch.setenv("BTRDB_PROFILE", "lab")
    assert find_endpoint(None, None, None) == Endpoint("lab.example.com", 4410, False, "lab-key")
    monkeypatch.setenv("BTRDB_ENDPOINTS", "env:1")
    assert find_endpoint(None, None, None) == Endpoint("env", 1, False, "lab-key")
    monkeypatch.setenv("BTRDB_API_KEY", "env-key")
    assert credentials() == {"endpoints": "env:1", "apikey": "env-key"}
    assert find_endpoint(None, "arg:2", None) == Endpoint("arg", 2, False, "env-key")
    assert find_endpoint(None, "arg:2", "arg-key") == Endpoint("arg", 2, False, "arg-key")


def test_a_profile_that_is_asked_for_is_used_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTRDB_ENDPOINTS", "env:1")
    assert find_endpoint("lab", None, None) == Endpoint("lab.example.com", 4410, False, "lab-key")
    with pytest.raises(InvalidInput, match="not both"):
        find_endpoint("lab", "arg:2", None)
    with pytest.raises(streams_errors.ConnectionError, match="no BTrDB endpoint"):
        find_endpoint("empty", None, None)


def test_profiles_that_are_not_there(home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        credentials_by_profile("lab")
    with pytest.raises(ConnectionError, match="BTRDB_ENDPOINTS"):
        find_endpoint(None, None, None)
    (home / "credentials.yaml").write_text(FILE, encoding="utf-8")
    with pytest.raises(streams_errors.ProfileNotFound, match="its profiles are: default, lab, empty"):
        credentials_by_profile("other")
    (home / "credentials.yaml").write_text("lab: {}", encoding="utf-8")
    assert credentials_by_profile() == {}


@pytest.mark.parametrize("text", ["[1, 2]", "lab: 3", "lab: {btrdb: [secret]}", "lab: {btrdb: secret", "\tx"])
def test_a_file_that_cannot_be_read(home: Path, text: str) -> None:
    (home / "credentials.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        credentials_by_profile("lab")
    assert "secret" not in str(caught.value)

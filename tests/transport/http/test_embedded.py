"""The adapter that calls a WSGI application in this process, and an API on top of it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import requests

from flowthings_like import API, ConfigurationError, FlowThingsNotFound, Token
from flowthings_like.transport.http.embedded import WSGIAdapter

from ...services.support import envelope


class Application:
    """Answers with what it was asked; remembers environments and closings."""

    def __init__(self, status: str = "200 OK") -> None:
        self.status = status
        self.environs: list[dict[str, Any]] = []
        self.closed = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.environs.append(environ)
        status = int(self.status[:3])
        body = json.dumps(envelope({"got": environ["wsgi.input"].read().decode()}, status)).encode()
        start_response(self.status, [("Content-Type", "application/json"), ("X-Mark", "here")])
        return Chunks(self, [body[:5], body[5:]])


class Chunks:
    def __init__(self, application: Application, parts: list[bytes]) -> None:
        self.application, self.parts = application, parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.parts)

    def close(self) -> None:
        self.application.closed += 1


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def platform(application: Application, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A platform package that opens `application`; its `closings` count."""
    module = ModuleType("flowthings_like.platform.embedded")
    state = SimpleNamespace(account="acme", token="opaque", closings=0, asked=None)
    state.front, state.live = application, SimpleNamespace(channel=None)

    def close() -> None:
        state.closings += 1

    def open_platform(folder: Any, account: str, **options: Any) -> Any:
        state.asked = (folder, account)
        return state

    state.close = close
    module.open_platform = open_platform  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return state


def test_the_environment_of_a_request(application: Application) -> None:
    with requests.Session() as session:
        session.mount("http://here", WSGIAdapter(application))
        answer = session.put(
            "http://here/v4.0/acme/drop/%2Facme%2F%C3%BC?a=1&b=%20",
            data=b"body",
            headers={"X-Auth-Token": "t"},
        )
    environ = application.environs[0]
    assert environ["REQUEST_METHOD"] == "PUT"
    assert environ["SCRIPT_NAME"] == ""
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/v4.0/acme/drop//acme/ü"
    assert environ["RAW_URI"] == "/v4.0/acme/drop/%2Facme%2F%C3%BC?a=1&b=%20"
    assert environ["QUERY_STRING"] == "a=1&b=%20"
    assert environ["CONTENT_LENGTH"] == "4"
    assert environ["HTTP_X_AUTH_TOKEN"] == "t"
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["HTTP_HOST"] == environ["SERVER_NAME"] == "here"
    assert answer.status_code == 200
    assert answer.reason == "OK"
    assert answer.headers["x-mark"] == "here"
    assert answer.json()["body"] == {"got": "body"}
    assert answer.text == answer.content.decode()
    assert application.closed == 1


@pytest.mark.parametrize(
    ("body", "got"),
    [
        ("text", "text"),
        (b"bytes", "bytes"),
        (None, ""),
        (io.BytesIO(b"file"), "file"),
        ([b"a", "b"], "ab"),
        (iter([b"c"]), "c"),
    ],
)
def test_bodies_of_every_kind(application: Application, body: Any, got: str) -> None:
    request = requests.PreparedRequest()
    request.method, request.url, request.body = "POST", "http://here", body
    request.headers = requests.structures.CaseInsensitiveDict()
    answer = WSGIAdapter(application).send(request)
    assert answer.json()["body"] == {"got": got}
    assert application.environs[0]["RAW_URI"] == "/"


def test_the_write_of_old_applications_and_what_they_raise() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("201 Created", [])
        write(b"first ")
        return [b"second"]

    def failing(environ: Any, start_response: Any) -> list[bytes]:
        raise KeyError("bug")

    with requests.Session() as session:
        session.mount("http://a", WSGIAdapter(application))
        session.mount("http://b", WSGIAdapter(failing))
        assert session.get("http://a/").content == b"first second"
        with pytest.raises(KeyError, match="bug"):
            session.get("http://b/")


def test_an_application_is_closed_after_whatever_happens() -> None:
    application = Application()

    class Interrupted(Chunks):
        def __iter__(self) -> Iterator[bytes]:
            raise KeyboardInterrupt

    def interrupted(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Interrupted(application, [])

    with requests.Session() as session:
        session.mount("http://a", WSGIAdapter(interrupted))
        with pytest.raises(KeyboardInterrupt):
            session.get("http://a/")
    assert application.closed == 1


def test_an_embedded_api(platform: Any, application: Application, tmp_path: Path) -> None:
    with API.embedded(tmp_path, account="acme") as api:
        assert platform.asked == (tmp_path, "acme")
        assert api.creds == Token("acme", "opaque")
        assert api.flow.create({"path": "/acme/a"}, limit=3, sort=["a", "b"]) == {"got": '{"path":"/acme/a"}'}
        assert "embedded" in repr(api)
    environ = application.environs[0]
    assert environ["RAW_URI"] == "/v4.0/acme/flow?limit=3&sort=a&sort=b"
    assert environ["HTTP_X_AUTH_TOKEN"] == "opaque"
    assert environ["CONTENT_TYPE"] == "application/json"
    assert "HTTP_ACCEPT_ENCODING" not in environ
    api.close()
    assert platform.closings == 1
    with pytest.raises(ConfigurationError, match="closed"):
        api.flow.find()


def test_errors_of_an_embedded_api(platform: Any, application: Application, tmp_path: Path) -> None:
    application.status = "404 Not Found"
    with API.embedded(tmp_path) as api, pytest.raises(FlowThingsNotFound):
        api.flow.read("f1")


@pytest.mark.parametrize("plain", [True, False])
def test_hooks_headers_and_sessions_work_in_process(
    platform: Any, application: Application, tmp_path: Path, plain: bool
) -> None:
    heard: list[str] = []
    with requests.Session() as session:
        if not plain:
            # Cookies and the like take the way through requests' own preparation; the result is the same.
            session.cookies.set("c", "1")
            session.auth = ("user", "pw")
            session.params = {"also": "2"}
        session.headers["X-Mine"] = "yes"
        session.hooks["response"].append(lambda answer, **options: heard.append(answer.headers["X-Mark"]))
        with API.embedded(tmp_path, session=session) as api:
            assert api.flow.read("f1", limit=1) == {"got": ""}
    environ = application.environs[0]
    assert heard == ["here"]
    assert environ["HTTP_X_MINE"] == "yes"
    assert environ["HTTP_X_AUTH_ACCOUNT"] == "acme"
    assert environ["QUERY_STRING"] == ("limit=1" if plain else "also=2&limit=1")
    assert ("HTTP_COOKIE" in environ, "HTTP_AUTHORIZATION" in environ) == (not plain, not plain)


def test_a_platform_is_closed_when_its_api_cannot_be_made(platform: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        API.embedded(tmp_path, host="http://x")
    with pytest.raises(TypeError):
        API.embedded(tmp_path, hots="x")
    assert platform.closings == 2


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # What is imported in its place hangs itself up in the package; the old one goes back there afterwards.
    monkeypatch.setattr("flowthings_like.platform", sys.modules["flowthings_like.platform"])
    for name in [name for name in sys.modules if name.startswith(("sqlalchemy", "flowthings_like.platform"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(
        ConfigurationError, match=r"sqlalchemy; run: pip install 'flowthings_like\[embedded\]'"
    ):
        API.embedded(tmp_path)

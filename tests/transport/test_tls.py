"""TLS of the direct way: what is verified, against what, and what breaks."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from flowthings_like.transport import tls
from flowthings_like.transport.http.exchange import DirectSession

from .support import Certificate, answer, raw

TIMEOUT = 20


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def session() -> Iterator[DirectSession]:
    with DirectSession() as made:
        yield made


def directly(session: DirectSession) -> bool:
    return any(origin.pool.statistics().opened for origin in session.origins)


def test_strangers_are_not_believed(session: DirectSession, certificate: Certificate) -> None:
    with raw(answer(b"x"), certificate) as server:
        with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            session.get(server.url + "/a", timeout=TIMEOUT)
        assert server.requests == []
        assert session.origins[0].pool.statistics().open == 0


def test_a_bundle_as_argument_of_the_session_and_of_the_environment(
    session: DirectSession, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = str(certificate[0])
    with raw(lambda number, request: answer(b"%d" % number), certificate) as server:
        url = server.url + "/a"
        assert session.get(url, timeout=TIMEOUT, verify=bundle).content == b"1"
        assert session.get(url, timeout=TIMEOUT, verify=bundle).content == b"2"
        assert server.accepted == 1
        with pytest.raises(requests.exceptions.SSLError):
            session.get(url, timeout=TIMEOUT)
        session.verify = bundle
        assert session.get(url, timeout=TIMEOUT).content == b"3"
        session.verify = True
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            with monkeypatch.context() as patch, DirectSession() as another:
                patch.setenv(name, bundle)
                assert another.get(url, timeout=TIMEOUT).ok
                assert directly(another)
        with DirectSession() as another, monkeypatch.context() as patch:
            patch.setenv("REQUESTS_CA_BUNDLE", bundle)
            another.trust_env = False
            with pytest.raises(requests.exceptions.SSLError):
                another.get(url, timeout=TIMEOUT)


def test_a_folder_of_authorities(session: DirectSession, certificate: Certificate, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_bytes(certificate[0].read_bytes())
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True, timeout=60)
    with raw(answer(b"x"), certificate) as server:
        assert session.get(server.url + "/a", timeout=TIMEOUT, verify=str(tmp_path)).content == b"x"


@pytest.mark.parametrize("name", ["none.pem", "empty.pem"])
def test_a_bundle_that_is_none(session: DirectSession, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")
    with pytest.raises(requests.exceptions.SSLError, match=name):
        session.get("https://127.0.0.1:9/a", timeout=TIMEOUT, verify=str(tmp_path / name))


def test_anybody_is_believed_only_on_demand_and_with_a_warning(
    session: DirectSession, certificate: Certificate
) -> None:
    with raw(answer(b"x"), certificate) as server:
        with pytest.warns(Warning, match="Unverified HTTPS"):
            assert session.get(server.url + "/a", timeout=TIMEOUT, verify=False).content == b"x"
        with pytest.raises(requests.exceptions.SSLError):
            session.get(server.url + "/a", timeout=TIMEOUT)


def test_the_name_counts(session: DirectSession, certificate: Certificate) -> None:
    """The certificate is for 127.0.0.1."""
    with raw(answer(b"x"), certificate) as server:
        port = server.address.partition(":")[2]
        with pytest.raises(requests.exceptions.SSLError, match="localhost"):
            session.get(f"https://localhost:{port}/a", timeout=TIMEOUT, verify=str(certificate[0]))
        assert server.requests == []


def test_the_server_hears_which_name_is_meant(session: DirectSession, certificate: Certificate) -> None:
    heard: list[str | None] = []
    with raw(answer(b"x"), certificate) as server:
        assert server.context is not None
        server.context.sni_callback = lambda connection, name, context: heard.append(name)
        port = server.address.partition(":")[2]
        for name in ("localhost", "127.0.0.1"):
            with pytest.warns(Warning, match="Unverified HTTPS"):
                session.get(f"https://{name}:{port}/a", timeout=TIMEOUT, verify=False)
    assert heard == ["localhost", None]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_bodies_of_many_records(
    session: DirectSession, certificate: Certificate, version: ssl.TLSVersion
) -> None:
    body = bytes(range(256)) * 8_000
    with raw(lambda number, request: answer(request.partition(b"\r\n\r\n")[2]), certificate) as server:
        assert server.context is not None
        server.context.minimum_version = server.context.maximum_version = version
        for _ in range(3):
            echo = session.post(server.url, data=body, timeout=TIMEOUT, verify=str(certificate[0]))
            assert echo.content == body
        assert server.accepted == 1
    assert directly(session)


def test_the_end_of_a_connection_without_a_goodbye(session: DirectSession, certificate: Certificate) -> None:
    """An answer that ends with its connection might have been cut by anybody on the way."""
    with raw(lambda number, request: None, certificate) as server, pytest.raises(requests.ConnectionError):
        session.get(server.url + "/a", timeout=TIMEOUT, verify=str(certificate[0]))


def test_plain_text_where_tls_is_expected(session: DirectSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer(b"x"))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"https://127.0.0.1:{listener.getsockname()[1]}/a", timeout=TIMEOUT)
        thread.join(10)


def test_a_handshake_that_takes_too_long(session: DirectSession) -> None:
    go_on = threading.Event()

    def wait(number: int, request: bytes) -> bytes:
        go_on.wait(20)
        return b""

    with raw(wait) as server:
        with pytest.raises(requests.ConnectTimeout):
            session.get(f"https://{server.address}/a", timeout=(0.05, 20))
        go_on.set()


def test_contexts_are_made_late_and_once(
    session: DirectSession, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    real = tls.client_context

    def counting(verify: bool | str) -> ssl.SSLContext:
        made.append(verify)
        return real(verify)

    monkeypatch.setattr("flowthings_like.transport.http.origin.client_context", counting)
    bundle = str(certificate[0])
    with raw(answer(b"x", Connection="close"), certificate) as server:
        for _ in range(3):
            session.get(server.url + "/a", timeout=TIMEOUT, verify=bundle)
        assert server.accepted == 3
    assert made == [bundle]

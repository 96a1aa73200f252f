"""TLS of the native transport: what is verified, against what, and what breaks."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like import ConnectionFailed, DeadlineExceeded
from flowthings_like.transport import tls
from flowthings_like.transport.http.native_transport import NativeTransport

from .support import Certificate, answer, handle, raw


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def transport() -> Iterator[NativeTransport]:
    made = NativeTransport()
    yield made
    made.close()


def test_an_untrusted_certificate_is_refused(transport: NativeTransport, certificate: Certificate) -> None:
    with raw(answer(b"x"), certificate) as server:
        with pytest.raises(ConnectionFailed, match="CERTIFICATE_VERIFY_FAILED"):
            handle(transport, "GET", server.url + "/a")
        assert server.requests == []
        assert transport.pools[0].statistics().open == 0


def test_a_bundle_belongs_to_one_request(transport: NativeTransport, certificate: Certificate) -> None:
    bundle = str(certificate[0])
    with raw(lambda number, request: answer(b"%d" % number), certificate) as server:
        url = server.url + "/a"
        assert handle(transport, "GET", url, verify=bundle).body == b"1"
        assert handle(transport, "GET", url, verify=bundle).body == b"2"
        assert server.accepted == 1
        with pytest.raises(ConnectionFailed, match="no trusted TLS"):
            handle(transport, "GET", url)
        assert handle(transport, "GET", url, verify=bundle).body == b"3"
        assert server.accepted == 2  # the second connection was refused by this end


def test_a_folder_of_bundles(transport: NativeTransport, certificate: Certificate, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_bytes(certificate[0].read_bytes())
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True, timeout=60)
    with raw(answer(b"x"), certificate) as server:
        assert handle(transport, "GET", server.url + "/a", verify=str(tmp_path)).body == b"x"


@pytest.mark.parametrize("name", ["none.pem", "empty.pem"])
def test_a_file_that_is_no_bundle(transport: NativeTransport, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")
    with pytest.raises(ConnectionFailed, match=name):
        handle(transport, "GET", "https://127.0.0.1:9/a", verify=str(tmp_path / name))


def test_verification_is_off_only_on_demand_and_with_a_warning(
    transport: NativeTransport, certificate: Certificate
) -> None:
    with raw(answer(b"x"), certificate) as server:
        with pytest.warns(Warning, match="Unverified HTTPS"):
            assert handle(transport, "GET", server.url + "/a", verify=False).body == b"x"
        with pytest.raises(ConnectionFailed):
            handle(transport, "GET", server.url + "/a")


def test_the_name_counts(transport: NativeTransport, certificate: Certificate) -> None:
    """The certificate is for 127.0.0.1."""
    with raw(answer(b"x"), certificate) as server:
        port = server.address.partition(":")[2]
        with pytest.raises(ConnectionFailed, match="localhost"):
            handle(transport, "GET", f"https://localhost:{port}/a", verify=str(certificate[0]))
        assert server.requests == []


def test_the_server_is_sent_the_name(transport: NativeTransport, certificate: Certificate) -> None:
    heard: list[str | None] = []
    with raw(answer(b"x"), certificate) as server:
        assert server.context is not None
        server.context.sni_callback = lambda connection, name, context: heard.append(name)
        port = server.address.partition(":")[2]
        for name in ("localhost", "127.0.0.1"):
            with pytest.warns(Warning, match="Unverified HTTPS"):
                handle(transport, "GET", f"https://{name}:{port}/a", verify=False)
    assert heard == ["localhost", None]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_bodies_of_many_records(
    transport: NativeTransport, certificate: Certificate, version: ssl.TLSVersion
) -> None:
    body = bytes(range(256)) * 8_000
    with raw(lambda number, request: answer(request.partition(b"\r\n\r\n")[2]), certificate) as server:
        assert server.context is not None
        server.context.minimum_version = server.context.maximum_version = version
        for _ in range(3):
            echo = handle(transport, "POST", server.url, body=body, verify=str(certificate[0]))
            assert echo.body == body
        assert server.accepted == 1
    assert transport.pools[0].statistics().opened == 1


def test_an_end_without_a_goodbye(transport: NativeTransport, certificate: Certificate) -> None:
    """Anybody on the way could have cut off an answer that ends with its connection."""
    with raw(lambda number, request: None, certificate) as server, pytest.raises(ConnectionFailed):
        handle(transport, "GET", server.url + "/a", verify=str(certificate[0]))


def test_plain_text_where_tls_is_expected(transport: NativeTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer(b"x"))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(ConnectionFailed):
            handle(transport, "GET", f"https://127.0.0.1:{listener.getsockname()[1]}/a")
        thread.join(10)


def test_a_handshake_that_takes_too_long(transport: NativeTransport) -> None:
    go_on = threading.Event()

    def wait(number: int, request: bytes) -> bytes:
        go_on.wait(20)
        return b""

    with raw(wait) as server:
        with pytest.raises(DeadlineExceeded):
            handle(transport, "GET", f"https://{server.address}/a", timeout=(0.05, 20))
        go_on.set()


def test_contexts_are_made_late_and_once(
    transport: NativeTransport, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    real = tls.client_context

    def counting(verify: bool | str) -> ssl.SSLContext:
        made.append(verify)
        return real(verify)

    monkeypatch.setattr("flowthings_like.transport.http.native_transport.client_context", counting)
    bundle = str(certificate[0])
    with raw(answer(b"x", Connection="close"), certificate) as server:
        for _ in range(3):
            handle(transport, "GET", server.url + "/a", verify=bundle)
        assert server.accepted == 3
    assert made == [bundle]

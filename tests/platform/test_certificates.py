"""A server's certificate is renewed while it serves; one that cannot be used changes nothing."""

from __future__ import annotations

import http.client
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .rest.served import PATIENCE, Served

pytestmark = pytest.mark.once


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for `name`, and its key."""
    folder.mkdir()
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-keyout key.pem -out cert.pem -subj /CN={name}"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True, timeout=PATIENCE)
    return folder / "cert.pem", folder / "key.pem"


def replace(file: Path, by: Path) -> None:
    """As certbot does it: the file is never half written."""
    new = file.with_suffix(".new")
    shutil.copy(by, new)
    new.replace(file)


def shown(served: Served) -> str:
    """The certificate that a new connection is shown."""
    return ssl.get_server_certificate(("127.0.0.1", served.port), timeout=PATIENCE)


def wait_until_shown(served: Served, cert: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    expected = ssl.PEM_cert_to_DER_cert(cert.read_text())
    while ssl.PEM_cert_to_DER_cert(shown(served)) != expected:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_for_error(served: Served, text: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not any(text in line for line in served.errors):
        assert time.monotonic() < deadline, served.errors
        time.sleep(0.02)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("certificates")
    return [make_certificate(folder / str(number), f"host{number}") for number in range(3)]


@pytest.fixture
def served(pairs: list[tuple[Path, Path]], tmp_path: Path) -> Iterator[Served]:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    shutil.copy(pairs[0][0], cert)
    shutil.copy(pairs[0][1], key)
    with Served(tmp_path / "data", "--certfile", str(cert), "--keyfile", str(key)) as running:
        yield running


def test_new_files_are_used_at_once_and_connections_go_on(
    served: Served, pairs: list[tuple[Path, Path]], tmp_path: Path
) -> None:
    wait_until_shown(served, pairs[0][0])
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    old = http.client.HTTPSConnection("127.0.0.1", served.port, timeout=PATIENCE, context=trusting)
    old.request("GET", "/healthz")
    assert old.getresponse().read()
    replace(tmp_path / "cert.pem", pairs[1][0])  # the key does not fit any more
    wait_for_error(served, "the certificate stays as it was")
    wait_until_shown(served, pairs[0][0])
    replace(tmp_path / "key.pem", pairs[1][1])
    wait_until_shown(served, pairs[1][0])
    old.request("GET", "/healthz")
    assert old.getresponse().status == 200
    old.close()
    assert served.stop() == 0


def test_a_sighup_with_a_certificate_that_cannot_be_used_changes_nothing(
    served: Served, pairs: list[tuple[Path, Path]], tmp_path: Path
) -> None:
    workers = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children")
    before = workers.read_text()
    (tmp_path / "key.pem").write_text("no key\n")
    served.process.send_signal(signal.SIGHUP)
    wait_for_error(served, "the workers stay as they are")
    wait_until_shown(served, pairs[0][0])
    assert workers.read_text() == before
    for file, by in zip((tmp_path / "cert.pem", tmp_path / "key.pem"), pairs[2], strict=True):
        replace(file, by)
    served.process.send_signal(signal.SIGHUP)
    wait_until_shown(served, pairs[2][0])
    assert served.stop() == 0

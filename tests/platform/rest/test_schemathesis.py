"""schemathesis makes requests of a served platform from its OpenAPI document, right ones and wrong ones.

It checks that no response has a status of 500 or a form that the document does not name, that what the
document forbids is refused, and that no request is answered without a token.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .served import Served

pytestmark = [
    pytest.mark.once,
    pytest.mark.exhaustive,
    pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis needs CPython 3.11"),
]

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


def run(served: Served, folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "--no-color"),
            *("run", f"{served.url}/openapi.json", "--url", f"{served.url}/v4.0/acme"),
            *("--header", f"X-Auth-Token: {served.token}", "--warnings", "off", "--seed", "1"),
            *("--continue-on-failure", "--output-truncate", "true", *arguments),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    # It asks the server whether it takes a header with a NUL.
    assert [line for line in served.errors if "cannot be read: InvalidHeader" not in line] == []


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path / "data")


@pytest.mark.once
def test_no_request_makes_the_platform_fail(served: Served, tmp_path: Path) -> None:
    with served:
        run(served, tmp_path, "--phases", "fuzzing", "--max-examples", "3")


@pytest.mark.long
def test_no_request_of_many_makes_the_platform_fail(served: Served, tmp_path: Path) -> None:
    with served:
        run(served, tmp_path, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "100")

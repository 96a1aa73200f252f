"""The small examples, run as a user runs them. The weather demo has tests of its own, in test_demo.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

EXAMPLES = Path(__file__).parents[1] / "examples"
AVATARS = EXAMPLES / "avatars.py"
RENDERED = """\
Mr 'Yoen Van der Veld' is connected under 'yoen'
Mr 'Estebán Garcia Marquez' is connected under 'esteban'
Mr 'Mohamed Al Ghâlib' is connected under 'mohamed'
"""


def run(*arguments: str, **environment: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(AVATARS), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


@pytest.mark.parametrize("backend", ["threads", "gevent", "eventlet"])
def test_the_avatars_of_the_tutorial(backend: str) -> None:
    assert run(backend, PYTHONIOENCODING="utf-8").decode("utf-8") == RENDERED


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""},
    ],
)
def test_the_avatars_in_a_locale_without_utf_8(environment: dict[str, str]) -> None:
    lines = run(**environment).decode("ascii", errors="backslashreplace").splitlines()
    assert len(lines) == 3
    assert lines[0] == RENDERED.splitlines()[0]
    assert "Garcia Marquez' is connected under 'esteban'" in lines[1]


def test_the_weather_as_records(tmp_path: Path) -> None:
    """The second run finds what the first has stored, and follows only the alerts that it adds itself."""
    command = [sys.executable, str(EXAMPLES / "records.py"), "--folder", str(tmp_path / "data")]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert lines[0] == "101,725 records of 3 stations"
        assert " ".join(lines[3].split()) == "January 10.9 35.6 64.4 12.0 35.4 57.9 12.0 36.0 59.0"
        assert len(lines) == 17
        assert lines[-1] == "6 hours of gale, 3 new alerts"

"""The small examples, run as a user runs them. The weather demo has tests of its own, in test_demo.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

AVATARS = Path(__file__).parents[1] / "examples" / "avatars.py"
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

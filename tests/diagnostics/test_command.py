"""The command `flowthings-like doctor`, run on programs with and without mistakes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from flowthings_like.about import DOCS, VERSION

pytestmark = pytest.mark.once


@pytest.fixture
def run(tmp_path):
    """Run the command in a folder with a package `my`, whose module `app` has the given text."""

    def run(*arguments, app=""):
        package = tmp_path / "my"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").write_text("")
        (package / "app.py").write_text(app)
        command = [sys.executable, "-W", "ignore", "-m", "flowthings_like.cli.main", "doctor", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    return run


GOOD = "from gevent import monkey; monkey.patch_all()\nimport requests\nprint('hello from the app')\n"
LATE = "import requests\nfrom gevent import monkey; monkey.patch_all()\n"


def test_a_good_program(run):
    done = run("--import", "my.app", app=GOOD)
    assert (done.returncode, done.stdout) == (0, "nothing found, after importing my.app\n")
    assert "hello from the app" in done.stderr


def test_a_program_that_patches_late(run):
    done = run("--import", "my.app", app=LATE)
    assert done.returncode == 1
    first, why, write, see, empty, count = done.stdout.splitlines()
    assert first.startswith("G04 error: unpatched parts are in use, taken before gevent patched: urllib3")
    assert why.startswith("  why: ")
    assert write == (
        "  write: `from gevent import monkey; monkey.patch_all()` as the first lines of the program, "
        "before these are imported"
    )
    assert see == f"  see: {DOCS}/doctor.md#g04"
    assert (empty, count) == ("", "1 finding, after importing my.app")


def test_json(run):
    done = run("--import", "my.app", "--json", app="print('noise')\n" + LATE)
    assert done.returncode == 1
    (finding,) = json.loads(done.stdout)
    assert finding["code"] == "G04"
    assert set(finding) == {"code", "severity", "seen", "why", "write", "link"}
    clean = run("--import", "my.app", "--json", app=GOOD)
    assert (clean.returncode, json.loads(clean.stdout)) == (0, [])


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_with_patch_there_are_no_findings(run, library):
    assert run("--import", "my.app", "--patch", library, app="import requests\n").returncode == 0


def test_without_a_program(run):
    done = run()
    assert done.returncode == 0
    assert done.stdout == "nothing found, in this command's own process; --import looks at a program\n"


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("raise ValueError('broken app')", "ValueError: broken app"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_a_program_that_cannot_be_imported_is_no_result(run, app, said):
    done = run("--import", "my.app", app=app)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "could not be imported" in done.stderr


@pytest.mark.parametrize("arguments", [["--patch", "twisted"], ["--import"], ["--nonsense"]])
def test_wrong_usage(run, arguments):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: flowthings-like" in done.stderr


@pytest.mark.parametrize("program", ["flowthings_like", "flowthings_like.cli.main"])
def test_the_command_says_its_version_and_runs_as_a_module(program):
    command = [sys.executable, "-m", program, "--version"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert said == f"flowthings-like {VERSION}\n"

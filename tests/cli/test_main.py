"""`flowthings-like` itself: its help, wrong usage, completion, and how little it imports."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from flowthings_like.cli.main import COMMANDS

pytestmark = pytest.mark.once


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flowthings_like", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def complete(words: str) -> list[str]:
    """The words that a shell offers after these."""
    count = str(len(words.split(" ")) - 1)
    done = run(_FLOWTHINGS_LIKE_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_the_help_names_every_command() -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    done = run(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: flowthings-like {name}")


@pytest.mark.parametrize(
    ("arguments", "said"), [([], "Missing command"), (["nope"], "No such command 'nope'"), (["--x"], "--x")]
)
def test_wrong_usage(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    usage, error = done.stderr.splitlines()
    assert usage.startswith("usage: flowthings-like ")
    assert error.startswith("flowthings-like: error: ")
    assert said in error


def test_a_shell_completes_commands_and_options() -> None:
    assert complete("flowthings-like d") == ["doctor", "demo"]
    assert complete("flowthings-like serve --things") == ["--things-port", "--things-ws-port"]
    assert complete("flowthings-like doctor --patch ") == ["gevent", "eventlet"]
    assert complete("flowthings-like records f") == ["follow"]
    script = run(_FLOWTHINGS_LIKE_COMPLETE="bash_source").stdout
    assert "complete -o nosort -F" in script


def test_help_and_completion_import_no_command() -> None:
    code = (
        "import sys; from flowthings_like.cli.main import main; status = main(['--help']); "
        "print(status, [name for name in sys.modules if name.startswith('flowthings_like.cli.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    status, _, imported = done.stdout.splitlines()[-1].partition(" ")
    assert status == "0"
    assert not any(f"flowthings_like.cli.{name}" in imported for name in COMMANDS)

"""`flowthings-like` itself: its help, wrong usage, completion, and how little it imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowthings_like import API
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


def complete(words: str, **environment: str) -> list[str]:
    """The words that a shell offers after these."""
    count = str(len(words.split(" ")) - 1)
    asked = {"_FLOWTHINGS_LIKE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    done = run(**asked, **environment)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


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


def test_a_shell_completes_paths_of_flows(tmp_path: Path) -> None:
    with API.embedded(tmp_path) as api:
        for name in ("weather/jfk", "weather/lga", "other", "a.b"):
            api.flow.create({"path": f"/acme/{name}"})
    for command in ("find", "tail -f"):
        words = f"flowthings-like {command} --data {tmp_path}"
        assert complete(f"{words} /acme/weather/") == ["/acme/weather/jfk", "/acme/weather/lga"]
        assert complete(f"{words} /acme/a.") == ["/acme/a.b"]  # no character is one of a pattern
    assert complete(f"flowthings-like find --data {tmp_path}/missing /acme/") == []
    assert not (tmp_path / "missing").exists()


def test_a_shell_completes_names_of_profiles(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[prod]\naccount = acme\ntoken = t\n[proof]\n[test]\n")
    words = "flowthings-like find --profile pro"
    assert complete(words, FLOWTHINGS_CREDENTIALS=str(file)) == ["prod", "proof"]
    file.write_text("no INI file")
    assert complete(words, FLOWTHINGS_CREDENTIALS=str(file)) == []
    assert complete(words, FLOWTHINGS_CREDENTIALS=str(tmp_path / "missing")) == []


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

"""`flowthings-like flows`, `find`, `get` and `tail`, on a folder and over the network."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API, Token, mem
from flowthings_like.cli.main import main
from flowthings_like.services.rest.drop import DropService
from tests.platform.rest.served import Served

from .shell import COMMAND, Shell

pytestmark = pytest.mark.once

PATH = "/acme/weather"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[API]:
    """The platform in the folder `data`, with a flow of three drops."""
    with API.embedded(tmp_path / "data") as api:
        api.flow.create({"path": PATH, "capacity": 1000})
        api.flow.create({"path": "/acme/empty"})
        api.drop(PATH).create_many(
            [{"elems": {"temp": temp, "sky": "clear"}, "creationDate": temp * 1000} for temp in (10, 20, 30)]
        )
        yield api


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


DATA = ("--data", "data")


def test_flows(api: API, shell: Shell) -> None:
    lines = [line.split() for line in shell.succeed("flows", *DATA).splitlines()]
    assert [line[1:] for line in lines] == [["1000", PATH], ["1000", "/acme/empty"]]
    (flow,) = shell.succeed("flows", "path =~ /weather/", "--json", *DATA).splitlines()
    assert json.loads(flow) == api.flow.read(lines[0][0])
    assert len(shell.succeed("flows", *DATA, "--limit", 1).splitlines()) == 1
    assert shell.succeed("flows", *DATA, "--limit", 0) == ""


def test_find(api: API, shell: Shell) -> None:
    newest = api.drop(PATH).find(limit=1)[0]
    lines = shell.succeed("find", PATH, *DATA).splitlines()
    assert lines[0] == f'{newest["id"]}  1970-01-01T00:00:30.000Z  temp=30  sky="clear"'
    assert [line.split()[2] for line in lines] == ["temp=30", "temp=20", "temp=10"]
    (line,) = shell.succeed("find", PATH, "elems.temp > 20", "--json", *DATA).splitlines()
    assert json.loads(line) == newest
    first = shell.succeed("find", PATH, *DATA, "-n", 1, "--sort", "elems.temp", "--order", "asc")
    assert "temp=10" in first
    assert shell.succeed("find", "/acme/empty", *DATA) == ""


def test_get(api: API, shell: Shell) -> None:
    (flow,) = api.flow.find(mem.path == PATH)
    drop = api.drop(flow).find()[0]
    for name in (flow["path"], flow["id"]):
        assert json.loads(shell.succeed("get", name, "--json", *DATA)) == flow
        assert json.loads(shell.succeed("get", name, drop["id"], *DATA)) == drop
    assert len(shell.succeed("get", PATH, *DATA).splitlines()) > 5
    assert len(shell.succeed("get", PATH, "--json", *DATA).splitlines()) == 1


def test_what_a_drop_holds_cannot_command_a_terminal(api: API, shell: Shell) -> None:
    api.drop(PATH).create({"elems": {"a\x1b[1m b": "\x1b]0;x\x07\x9b\x7f\n"}})
    for as_json in ([], ["--json"]):
        (line,) = shell.succeed("find", PATH, *DATA, "-n", 1, *as_json).splitlines()
        assert line.isprintable()
        assert r"\u001b]0;x\u0007\u009b\u007f\n" in line


def test_the_last_drops(api: API, shell: Shell) -> None:
    def temps(*arguments: object) -> list[int]:
        lines = shell.succeed("tail", PATH, *DATA, "--json", *arguments).splitlines()
        return [json.loads(line)["elems"]["temp"] for line in lines]

    assert temps() == [10, 20, 30]
    assert temps("-n", 2) == [20, 30]
    assert temps("elems.temp < 30", "-n", 1) == [20]
    assert temps("-n", 0) == []
    assert temps("-f", "--timeout", 0.2) == [10, 20, 30]


@pytest.mark.parametrize("is_served", [False, True], ids=["folder", "served"])
def test_following(shell: Shell, tmp_path: Path, is_served: bool, request: pytest.FixtureRequest) -> None:
    if is_served:
        served = request.getfixturevalue("profile")
        where = ["--profile", "prod"]
        api = API(Token("acme", served.token), host=served.url.removeprefix("http://"), secure=False)
    else:
        where = [*DATA]
        api = API.embedded(tmp_path / "data")
    with api:
        api.flow.create({"path": "/acme/live"})
        drops = api.drop("/acme/live")
        drops.create({"elems": {"n": 0}})
        command = ["tail", "-f", "/acme/live", "elems.n != 2", "--json", *where]
        process = shell.start(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            assert process.stdout is not None
            seen = [json.loads(process.stdout.readline())["elems"]["n"]]  # the follower has begun
            for n in (1, 2, 3):
                drops.create({"elems": {"n": n}})
            seen += [json.loads(process.stdout.readline())["elems"]["n"] for _ in range(2)]
        finally:
            process.send_signal(signal.SIGINT)
            rest, said = process.communicate(timeout=60)
    assert (seen, rest, said, process.returncode) == ([0, 1, 3], "", "", 130)


def test_what_is_created_while_it_begins_is_printed_once(
    api: API, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original = DropService.find_many

    def find_many(self: DropService, *filters: Any, **params: Any) -> Any:
        api.drop(PATH).create({"elems": {"temp": 40}})  # it is found, and pushed
        found = original(self, *filters, **params)
        api.drop(PATH).create({"elems": {"temp": 50}})  # it is pushed alone
        return found

    monkeypatch.setattr(DropService, "find_many", find_many)
    assert main(["tail", "-f", PATH, "--timeout", "3", "--json", "--data", str(tmp_path / "data")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["elems"]["temp"] for line in lines] == [10, 20, 30, 40, 50]


@pytest.fixture
def profile(tmp_path: Path, shell: Shell) -> Iterator[Served]:
    """A served platform, and a profile `prod` that leads to it."""
    with Served(tmp_path / "served") as served:
        file = tmp_path / ".flowthings" / "credentials"
        file.parent.mkdir()
        host = served.url.removeprefix("http://")
        file.write_text(f"[prod]\naccount = acme\ntoken = {served.token}\nhost = {host}\nsecure = no\n")
        file.chmod(0o600)
        yield served


def test_a_reader_that_has_enough(api: API, shell: Shell) -> None:
    api.drop(PATH).create_many([{"elems": {"text": "x" * 1000}} for _ in range(500)])
    command = f"'{COMMAND[0]}' -m flowthings_like find {PATH} -n 1000 --data data | head -1"
    script = f"set -o pipefail; {command} >/dev/null; echo $?"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["find", "/acme/none", *DATA], "there is no flow /acme/none"),
        (["find", PATH, "elems.temp >", *DATA], "400"),
        (["get", "/acme/none", *DATA], "there is no flow /acme/none"),
        (["get", PATH, "d0", *DATA], "'d0' is no drop's id"),
        (["tail", "-f", "/acme/none", *DATA], "there is no flow /acme/none"),
        (["flows", "--data", "nowhere"], "there is no folder 'nowhere'"),
        (["flows"], "no account found"),
        (["flows", "--profile", "prod"], "profile [prod] was asked for"),
    ],
)
def test_what_fails_is_explained(api: API, shell: Shell, arguments: list[str], said: str) -> None:
    assert said in shell.fail(*arguments)
    assert not (shell.folder / "nowhere").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["find"], "Missing argument 'PATH'"),
        (["find", PATH, "--order", "up"], "invalid choice: 'up' (choose from 'asc', 'desc')"),
        (["find", PATH, "-n", "x"], "'x' is not a valid integer"),
        (["tail", PATH, "--timeout", "3"], "--timeout needs --follow"),
        (["flows", *DATA, "--profile", "a"], "give --data or --profile, not both"),
    ],
)
def test_wrong_usage(shell: Shell, arguments: list[str], said: str) -> None:
    error = shell.fail(*arguments, status=2)
    assert error.startswith(f"usage: flowthings-like {arguments[0]} ")
    assert said in error

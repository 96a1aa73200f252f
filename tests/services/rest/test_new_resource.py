"""One module in services/rest/ adds a resource, which the generated files, the API and mypy then know.

The tests add it to a copy of the package, and use that copy in other interpreters.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import flowthings_like
from tools import parallel_types

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[3]

MODULE = '''
"""Thermostats."""

from __future__ import annotations

from typing import Any

from .resource import Resource
from .writing import FullService

__all__ = ["Thermostat", "ThermostatService"]


class Thermostat(Resource, total=False):
    """A thermostat, as `api.thermostat` returns it."""

    room: str
    target: float


class ThermostatService(FullService[Thermostat]):
    """`api.thermostat`."""

    name = "thermostat"
    path = "/thermostat"

    def boost(self, id: str, degrees: float, **params: Any) -> Thermostat:
        """Raise the target by so many degrees."""
        boosted: Thermostat = self._call("POST", f"/{id}/boost", {"degrees": degrees}, params)
        return boosted
'''
SCRIPT = """
import json

from flowthings_like import API, Token, mem, services
from tests.services.support import Answer, Seen, envelope, serving

THERMOSTATS = {id: {"id": id, "room": room, "target": 20.5} for id, room in (("t1", "hall"), ("t2", "attic"))}


def answer(seen: Seen) -> Answer:
    path = seen.target.partition("?")[0].removeprefix("/v4.0/acme")
    said = {
        ("GET", "/thermostat"): list(THERMOSTATS.values()),
        ("GET", "/thermostat/t1"): THERMOSTATS["t1"],
        ("MGET", "/thermostat"): THERMOSTATS,
        ("POST", "/thermostat/t1/boost"): {**THERMOSTATS["t1"], "target": 22.5},
    }
    return Answer(body=json.dumps(envelope(said[seen.method, path])).encode())


def room_of(thermostat: services.Thermostat) -> str:
    return thermostat["room"]


with serving(answer) as server, API(Token("acme", "secret"), host=server.address, secure=False) as api:
    found = api.thermostat.find(mem.room == "hall", limit=10)
    assert [room_of(one) for one in found] == ["hall", "attic"]
    assert "filter=room" in server.seen[-1].target
    assert api.thermostat.boost("t1", 2)["target"] - 20.5 == 2
    assert repr(api.thermostat) == f"<ThermostatService /thermostat of acme at {server.address}>"

    lazy = api.lazy()
    first, second = lazy.thermostat.read("t1"), lazy.thermostat.read("t2")
    assert first["room"].upper() + second["room"].upper() == "HALLATTIC"
    assert lazy.thermostat.boost("t1", 2)["target"] > 22

    calls = api.async_()
    assert calls.thermostat.read("t1").get()["target"] < 21
    assert api.thermostat.lazy().read("t1")["room"] == "hall"
print("used")
"""
MISTAKES = """
from flowthings_like import API, Token

api = API(Token("acme", "secret"))
api.thermostat.read("t1")["rom"]
api.thermostat.boost("t1", "2")
api.lazy().thermostat.read("t1")["target"].upper()
api.async_().thermostat.read("t1").get()["rom"]
api.thermostats.find()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package, to which the resource was added, and the scripts."""
    folder = tmp_path_factory.mktemp("with_thermostat")
    package = folder / "flowthings_like"
    shutil.copytree(
        Path(flowthings_like.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    (package / "services" / "rest" / "thermostat.py").write_text(MODULE, encoding="utf-8")
    assert parallel_types.main(["--package", str(package), "--check"]) == 1
    assert parallel_types.main(["--package", str(package)]) == 0
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    (folder / "mistakes.py").write_text(MISTAKES, encoding="utf-8")
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "MYPYPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_it_is_an_attribute_of_the_api_and_of_lazy_and_async(folder: Path) -> None:
    done = run(folder, "script.py")
    assert (done.stdout, done.returncode) == ("used\n", 0), done.stderr


def test_a_type_checker_knows_its_verbs_and_members(folder: Path) -> None:
    strict = ("-m", "mypy", "--strict", "--follow-imports=silent", "--no-error-summary")
    done = run(folder, *strict, "script.py", "mistakes.py")
    wrong = [line.split(":")[:2] for line in done.stdout.splitlines() if ": error:" in line]
    assert wrong == [["mistakes.py", str(number)] for number in range(5, 10)], done.stdout + done.stderr

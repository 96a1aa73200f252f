"""The fixtures, used as the documentation shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flowthings_like import API, ConfigurationError, FlowThingsNotFound
from flowthings_like.testing import Fault, FaultProxy, Server

ROOT = Path(__file__).parents[2]


def test_an_empty_platform(flowthings_platform: API) -> None:
    assert flowthings_platform.flow.find() == []
    flowthings_platform.flow.create({"path": "/acme/a"})


def test_another_empty_platform(flowthings_platform: API) -> None:
    assert flowthings_platform.flow.find() == []


def test_a_server_answers_like_the_platform_it_is(flowthings_server: Server) -> None:
    with flowthings_server.api() as api:
        flow = api.flow.create({"path": "/acme/a"})
        drops = api.drop("/acme/a").create_many([{"elems": {"n": n}} for n in range(50)])
        assert api.drop("/acme/a").read_many([drop["id"] for drop in drops[:3]]).keys() == {
            drop["id"] for drop in drops[:3]
        }
        assert api.flow.update_many([{"id": flow["id"], "capacity": 10}])[flow["id"]]["capacity"] == 10
        with pytest.raises(FlowThingsNotFound):
            api.root.request("POST", "/nowhere", {"a": "body that nobody reads"})
        assert len(api.drop(flow).find(limit=100)) == 10


def test_a_server_ends_and_comes_back_with_its_data(tmp_path: Path) -> None:
    with Server(tmp_path / "data", account="abc") as server, server.api() as api:
        api.flow.create({"path": "/abc/a"})
    server.close()
    with pytest.raises(ConfigurationError, match="closed"):
        api.flow.find()
    with server, server.api() as again:
        assert [flow["path"] for flow in again.flow.find()] == ["/abc/a"]


def test_a_proxy_stands_before_the_server(flowthings_server: Server, flowthings_proxy: FaultProxy) -> None:
    with flowthings_server.api(host=flowthings_proxy.address) as api:
        api.flow.create({"path": "/acme/a"})
        flowthings_proxy.once(Fault.lose_answer())
        assert api.drop("/acme/a").create({"elems": {"n": 1}})["elems"] == {"n": 1}
        assert len(api.drop("/acme/a").find()) == 1
    assert flowthings_proxy.counts["lose_answer"] == 1


@pytest.mark.once
def test_pytest_imports_nothing_of_the_package_before_a_fixture_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_nothing():\n"
        "    assert 'pytest_flowthings_like' in sys.modules\n"
        "    names = ('flowthings_like', 'requests', 'sqlalchemy', 'http.client', 'orjson')\n"
        "    assert [name for name in names if name in sys.modules] == []\n"
        "def test_fixture(flowthings_platform):\n"
        "    assert 'flowthings_like' in sys.modules\n"
    )
    plugins = ("cacheprovider", "hypothesispytest", "requests_mock", "schemathesis")
    others = [f"-pno:{plugin}" for plugin in plugins]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *others],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.once
def test_every_fixture_bears_the_librarys_name(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--fixtures", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    ours = done.stdout.split("fixtures defined from pytest_flowthings_like")[1]
    names = re.findall(r"^(\w+)", ours.split("fixtures defined from")[0], re.MULTILINE)
    assert {name for name in names if name != "no"} >= {"flowthings_platform", "flowthings_proxy"}
    assert [name for name in names if not name.startswith(("flowthings_", "no"))] == []


@pytest.mark.once
def test_the_documented_tests_pass(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    snippets = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (tmp_path / "test_documented.py").write_text("\n".join(snippets), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_documented.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(re.findall('^def test_', ''.join(snippets), re.MULTILINE))} passed" in done.stdout

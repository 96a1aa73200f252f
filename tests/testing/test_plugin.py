"""The fixtures, used as a reader of the documentation would."""

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


def test_a_proxy_stands_before_the_server(flowthings_server: Server, fault_proxy: FaultProxy) -> None:
    with flowthings_server.api(host=fault_proxy.address) as api:
        api.flow.create({"path": "/acme/a"})
        fault_proxy.once(Fault.lose_answer())
        assert api.drop("/acme/a").create({"elems": {"n": 1}})["elems"] == {"n": 1}
        assert len(api.drop("/acme/a").find()) == 1
    assert fault_proxy.counts["lose_answer"] == 1


def test_what_pytest_imports_at_its_start_brings_in_no_sockets_of_ours() -> None:
    code = (
        "import sys; import pytest; before = set(sys.modules); import flowthings_like.testing.plugin; "
        "print(sorted({'http.server', 'socketserver', 'requests', 'sqlalchemy'} & set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


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

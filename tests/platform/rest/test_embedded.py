"""Opening the platform in this process, more than once, and from several processes and threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.errors import ConfigurationError
from flowthings_like.platform.embedded import Platform, open_platform

from ...servers.platform_store import place_of
from .harness import client_of


def test_data_survives_closing(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with open_platform(folder, "acme") as platform:
        api = client_of(platform)
        flow = api.flow("x")
        drop = api.post(f"/drop/{flow['id']}", {"elems": {"a": 1}}).ok(201)
        me = api.get("/identity").ok()
        old = platform.token
    with open_platform(folder, "acme") as platform:
        api = client_of(platform)
        assert api.get("/identity").ok() == me
        assert api.get("/flow").ok() == [flow]
        assert api.get(f"/drop/{flow['id']}").ok() == [drop]
        assert platform.token != old
        assert api.as_(old).get("/flow").status == 403


def test_several_may_be_open_on_one_folder(tmp_path: Path) -> None:
    with open_platform(tmp_path, "acme") as one, open_platform(tmp_path, "acme") as two:
        first, second = client_of(one), client_of(two)
        flow = first.flow("x")
        for api in (first, second, first, second):
            api.post(f"/drop/{flow['id']}", {"elems": {"a": 1}}).ok(201)
        second.put(f"/flow/{flow['id']}", {"filter": "elems.a > 5"}).ok()
        assert first.post(f"/drop/{flow['id']}", {"elems": {"a": 1}}).status == 400
        assert len(first.get(f"/drop/{flow['id']}").ok()) == 4
        assert first.as_(two.token).get("/flow").status == 403


def test_accounts_of_one_folder_are_apart(tmp_path: Path) -> None:
    with open_platform(tmp_path, "acme") as one, open_platform(tmp_path, "other") as two:
        client_of(one).flow("x")
        assert client_of(two).get("/flow").ok() == []


SECOND = """
import sys
sys.path.insert(0, {root!r})
from tests.platform.rest.harness import client_of
from flowthings_like.platform.embedded import open_platform
with open_platform({folder!r}, "acme") as platform:
    api = client_of(platform)
    print("open", flush=True)
    for line in sys.stdin:
        api.post("/drop", {{"path": "/acme/x", "elems": {{"from": int(line)}}}}).ok(201)
        print("done", flush=True)
"""


def test_two_processes_write_to_one_folder(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[3])
    code = SECOND.format(root=root, folder=place_of(tmp_path))
    with (
        open_platform(tmp_path, "acme") as platform,
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as child,
    ):
        assert child.stdin
        assert child.stdout
        api = client_of(platform)
        api.flow("x")
        assert child.stdout.readline() == "open\n"
        for n in range(5):
            child.stdin.write(f"{n}\n")
            child.stdin.flush()
            api.post("/drop", {"path": "/acme/x", "elems": {"from": n}}).ok(201)
            assert child.stdout.readline() == "done\n"
        child.stdin.close()
        assert child.wait(30) == 0
        found = [drop["elems"]["from"] for drop in api.get("/drop?path=/acme/x").ok()]
        assert sorted(found) == sorted([*range(5)] * 2)


def test_many_threads_may_call_at_once(platform: Platform) -> None:
    api = client_of(platform)
    flow = api.flow("x")
    failures: list[Any] = []

    def work(number: int) -> None:
        try:
            for n in range(5):
                drop = api.post(f"/drop/{flow['id']}", {"elems": {"n": n, "of": number}}).ok(201)
                assert api.get(f"/drop/{flow['id']}/{drop['id']}").ok() == drop
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(api.get(f"/drop/{flow['id']}?limit=100").ok()) == 40


@pytest.mark.parametrize("name", ["", "Acme", "a b", "a/b", "-x", "ä", "x" * 65, None, 5])
def test_an_accounts_name_is_checked(tmp_path: Path, name: Any) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        open_platform(tmp_path / "data", name)
    assert not (tmp_path / "data").exists()


def test_a_folder_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError):
        open_platform(tmp_path / "file", "acme")


def test_closing_twice_is_harmless_and_a_closed_platform_says_so(tmp_path: Path) -> None:
    platform = open_platform(tmp_path, "acme")
    platform.close()
    platform.close()
    assert client_of(platform).get("/flow").status == 503
    assert platform.token not in repr(platform)

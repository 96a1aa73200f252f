"""The folder of an embedded platform: its owner and modes, and the errors for one that cannot be used."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API
from flowthings_like.errors import ConfigurationError

pytestmark = pytest.mark.sqlite("is about the folder that holds the database")


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@pytest.fixture(params=[0o000, 0o022, 0o277])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def used(folder: Path) -> None:
    """Open the platform in the folder, and look at the modes of all that it makes."""
    with API.embedded(folder) as api:
        flow = api.flow.create({"path": "/acme/x"})
        api.drop(flow["id"]).create({"elems": {"a": 1}})
        api.things.query("1;")
        found = modes(folder)
        assert {"platform.db", "platform.db-wal", "platform.db-shm", "things.lock"} <= found.keys()
        assert set(found.values()) == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_new_folder_is_the_owners_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    used(tmp_path / "data")
    assert umask == os.umask(umask), "and the umask is left alone"


def test_an_open_folder_and_open_files_are_closed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with API.embedded(folder):
        pass
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    for name in ("things.lock", "tasks.lock"):
        (folder / name).touch(0o666)
    used(folder)
    (folder / "streams").mkdir()
    (folder / "streams").chmod(0o755)
    with API.embedded(folder):
        assert modes(folder)["streams"] == 0o700


def test_a_folder_with_others_files_keeps_its_mode_and_they_keep_theirs(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "index.html").write_text("")
    (folder / "index.html").chmod(0o644)
    with API.embedded(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755
        found = modes(folder)
        assert found.pop("index.html") == 0o644
        assert set(found.values()) == {0o600}


def damaged(folder: Path) -> Path:
    with API.embedded(folder) as api:
        api.flow.create({"path": "/acme/x"})
    database = folder / "platform.db"
    content = bytearray(database.read_bytes())
    content[100:] = os.urandom(len(content) - 100)
    database.write_bytes(content)
    return folder


def garbage(folder: Path) -> Path:
    folder.mkdir()
    (folder / "platform.db").write_bytes(os.urandom(8192))
    return folder


def cut_short(folder: Path) -> Path:
    with API.embedded(folder):
        pass
    database = folder / "platform.db"
    database.write_bytes(database.read_bytes()[:5000])
    return folder


def a_file(folder: Path) -> Path:
    folder.write_text("")
    return folder


def beneath_a_file(folder: Path) -> Path:
    return a_file(folder) / "data"


def a_folder_for_a_database(folder: Path) -> Path:
    (folder / "platform.db").mkdir(parents=True)
    return folder


def a_broken_link(folder: Path) -> Path:
    folder.symlink_to(folder.parent / "nowhere" / "else")
    return folder


BROKEN = [damaged, garbage, cut_short, a_file, beneath_a_file, a_folder_for_a_database, a_broken_link]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_folder_that_cannot_be_used_is_a_configuration_error(tmp_path: Path, broken: Any) -> None:
    folder = broken(tmp_path / "data")
    with pytest.raises(ConfigurationError, match="data"):
        API.embedded(folder)


@pytest.mark.parametrize("place", ["", "  ", "a\0b", None, 7, "nosuch://host/db", "sqlite+nosuch:///x"])
def test_what_is_no_path_is_a_configuration_error(place: Any, tmp_path: Path) -> None:
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        with pytest.raises(ConfigurationError):
            API.embedded(place)
        assert list(tmp_path.iterdir()) == []
    finally:
        os.chdir(before)


def test_a_url_that_cannot_be_used_is_quoted_without_its_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        API.embedded("nosuch://ada:hunter2@db.example/x")
    assert "hunter2" not in f"{caught.value!r} {caught.value}"


READ_ONLY = """
import os, sys
from flowthings_like import API
from flowthings_like.errors import ConfigurationError
with API.embedded(sys.argv[1] + "/used") as api:  # all that is needed is imported
    api.flow.create({"path": "/acme/x"})
os.umask(0)
os.chmod(sys.argv[1] + "/file/platform.db", 0o444)
os.chmod(sys.argv[1] + "/folder", 0o555)
if os.geteuid() == 0:
    os.setuid(65534)
for name in "folder", "folder/new", "file":
    try:
        API.embedded(sys.argv[1] + "/" + name)
    except ConfigurationError as error:
        print(name, error)
"""


@pytest.mark.once
def test_a_folder_that_may_not_be_written_to_is_a_configuration_error(tmp_path: Path) -> None:
    for name in ("folder", "file"):
        with API.embedded(tmp_path / name):
            pass
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.geteuid() and parent.name.startswith(("pytest-", "test_")):
            parent.chmod(0o755)
    (tmp_path / "file").chmod(0o777)
    (tmp_path / "folder" / "platform.db").chmod(0o666)
    code = [sys.executable, "-c", READ_ONLY, str(tmp_path)]
    ended = subprocess.run(code, capture_output=True, text=True, check=True, timeout=120)
    lines = ended.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["folder", "folder/new", "file"], ended.stdout
    assert "read-only" in lines[0]
    assert "read-only" in lines[2]


@pytest.mark.parametrize("module", ["re2", "lark", "msgpack", "wsproto"])
def test_a_missing_package_is_named_when_the_platform_opens(
    tmp_path: Path, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    package = "google-re2" if module == "re2" else module
    with pytest.raises(ConfigurationError, match=f"package {package}.*pip install"):
        API.embedded(tmp_path / "data")
    assert not (tmp_path / "data").exists()

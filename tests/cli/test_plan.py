"""`flowthings-like plan`, as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flowthings_like import API

pytestmark = pytest.mark.once


def plan(folder: Path, *arguments: object, input: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flowthings_like.cli.main", "plan", *map(str, arguments)],
        cwd=folder,
        input=input,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with two flows and a track."""
    with API.embedded(tmp_path / "data") as api:
        for name in ("jfk", "hot"):
            api.flow.create({"path": f"/acme/weather/{name}"})
        api.track.create({"source": "/acme/weather/jfk", "destination": "/acme/weather/hot"})
    return tmp_path / "data"


def test_pull_change_compare_push(tmp_path: Path, data: Path) -> None:
    done = plan(tmp_path, "pull", "/acme/weather", "--data", data, "-o", "plan.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    same = plan(tmp_path, "diff", "plan.json", "--data", data)
    assert (same.returncode, same.stdout) == (0, "unchanged: 3\n")

    document = json.loads((tmp_path / "plan.json").read_text())
    document["flows"][0]["capacity"] = 7
    document["flows"].append({"path": "/acme/weather/lga"})
    del document["tracks"][0]
    text = json.dumps(document)
    expected = (
        "+ flow /acme/weather/lga\n"
        "~ flow /acme/weather/hot\n"
        "    capacity: 1000 -> 7\n"
        "- track /acme/weather/jfk -> /acme/weather/hot\n"
        "unchanged: 1\n"
    )
    for arguments, status in (
        (("diff", "-", "--delete"), 1),
        (("push", "-", "--delete", "--dry-run"), 0),
        (("push", "-", "--delete"), 0),
    ):
        done = plan(tmp_path, *arguments, "--data", data, input=text)
        assert (done.returncode, done.stdout, done.stderr) == (status, expected, "")
    with API.embedded(data) as api:
        assert api.track.find() == []
        assert api.flow.find(order="asc", sort="path", only="path,capacity")[0]["capacity"] == 7
        assert api.plan.push(document)["unchanged"] == 3
        assert api.lazy().plan.pull("/acme/weather")["path"] == "/acme/weather"
    shown = plan(tmp_path, "pull", "/acme/weather", "--data", data)
    assert len(json.loads(shown.stdout)["flows"]) == 3


def test_what_cannot_be_done_is_explained(tmp_path: Path, data: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "other.json").write_text('{"path": "/other/x"}')
    for arguments, status, said in (
        (("push", "bad.json", "--data", data), 1, "bad.json is no plan"),
        (("diff", "bad.json", "--data", data), 2, "bad.json is no plan"),
        (("push", "none.json", "--data", data), 1, "none.json"),
        (("push", "other.json", "--data", data), 1, "outside the account"),
        (("diff", "other.json", "--data", data), 2, "outside the account"),
        (("pull", "/acme/x", "--data", tmp_path / "nowhere"), 1, "there is no folder"),
    ):
        done = plan(tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (status, ""), done
        assert said in done.stderr
        assert "Traceback" not in done.stderr

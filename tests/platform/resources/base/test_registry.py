"""A resource is one module: what is put beside the others is known to routes, references and statistics."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like.platform import resources
from flowthings_like.platform.embedded import open_platform
from flowthings_like.platform.resources.base import registry
from flowthings_like.platform.resources.base.resource import Resource

from ...rest.harness import Client, client_of

STATIONS = """
from .base.members import integer, text
from .base.resource import Resource
from .statistics.counters import Statistic

STATION = Resource(
    "station",
    "w",
    members={"name": text(), "height": integer(-500, 9000)},
    required=("path", "name"),
    defaults={"height": 0},
    path_members=("path",),
    pointers=("stationId",),
    public_members=("id", "name"),
    statistics=(Statistic("stationMoved"),),
)
"""


@pytest.fixture
def discovered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules are found as if they stood in platform/resources/."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setattr(resources, "__path__", [*resources.__path__, str(folder)])
    forget()
    yield folder
    for name in list(sys.modules):
        if name.startswith(f"{resources.__name__}.") and name not in BEFORE:
            del sys.modules[name]
    forget()


def forget() -> None:
    registry.resources.cache_clear()
    registry.statistics.cache_clear()


registry.resources()
BEFORE = frozenset(sys.modules)


@pytest.fixture
def api(discovered: Path, tmp_path: Path) -> Iterator[Client]:
    (discovered / "stations.py").write_text(STATIONS)
    with open_platform(tmp_path / "data", "acme") as platform:
        yield client_of(platform)


def test_it_is_created_found_read_updated_and_deleted(api: Client) -> None:
    high = api.post("/station", {"path": "/acme/high", "name": "Jungfrau", "height": 3571}).ok(201)
    low = api.post("/station", {"path": "/acme/low", "name": "Bergen"}).ok(201)
    assert high["id"][0] == low["id"][0] == "w"
    assert low["height"] == 0
    assert api.get("/station?filter=height%20%3E%201000").ok() == [high]
    assert api.get(f"/station/{low['id']}").ok() == low
    assert api.put(f"/station/{low['id']}", {"height": 12}).ok()["height"] == 12
    assert api.put(f"/station/{low['id']}/height", 13).ok()["height"] == 13
    assert list(api("MGET", "/station", [high["id"], low["id"]]).ok()) == [high["id"], low["id"]]
    api.delete(f"/station/{high['id']}").ok()
    assert api.get(f"/station/{high['id']}").status == 404
    assert [station["name"] for station in api.get("/station").ok()] == ["Bergen"]


def test_what_is_wrong_is_refused(api: Client) -> None:
    assert "name is required" in api.post("/station", {"path": "/acme/x"}).error
    assert "outside the account" in api.post("/station", {"path": "/other/x", "name": "a"}).error
    assert "from -500 to 9000" in api.post("/station", {"path": "/acme/x", "name": "a", "height": 9001}).error
    assert (
        "did you mean 'height'" in api.post("/station", {"path": "/acme/x", "name": "a", "heigth": 1}).error
    )


def test_rights_references_and_statistics_know_it(api: Client) -> None:
    station = api.post("/station", {"path": "/acme/weather/x", "name": "x"}).ok(201)
    flow = api.flow("elsewhere", stationId=station["id"])
    (own,) = api.get("/flow?refs=1").head["references"]["station"].values()
    assert own == station
    reader, stranger = (
        api.as_(api.post("/token", {"paths": {f"/acme/{name}": {"read": True}}}).ok(201)["tokenString"])
        for name in ("weather", "elsewhere")
    )
    assert reader.get("/station").ok() == [station]
    assert stranger.get("/station").ok() == []
    shown = stranger.get(f"/flow/{flow['id']}?refs=1").head["references"]["station"]
    assert shown == {station["id"]: {"id": station["id"], "name": "x"}}
    assert api.get(f"/statistics/stationMoved/{station['id']}/2024").ok() == [0] * 12


@pytest.mark.parametrize(
    ("name", "letter", "said"),
    [
        ("flow", "w", "two resources flow"),
        ("drop", "w", "two resources drop"),
        ("station", "f", "flow begin"),
    ],
)
def test_a_name_and_a_letter_mean_one_resource(discovered: Path, name: str, letter: str, said: str) -> None:
    module = f"from .base.resource import Resource\nWRONG = Resource({name!r}, {letter!r})\n"
    (discovered / "wrong.py").write_text(module)
    with pytest.raises(TypeError, match=said):
        registry.resources()


def test_the_platforms_own() -> None:
    found = registry.resources()
    assert {
        "api-task",
        "device",
        "flow",
        "group",
        "identity",
        "mqtt",
        "rss",
        "share",
        "token",
        "track",
    } == set(found)
    assert all(isinstance(resource, Resource) for resource in found.values())
    assert {
        name for name, counted in registry.statistics().items() if counted.resource is found["track"]
    } == {
        "trackHit",
        "trackPass",
    }

"""Plans over HTTP: what is pulled, what a push does, and that it does all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.store.schema import resources

from .harness import Client, client_of

PLAN: dict[str, Any] = {
    "path": "/acme/weather",
    "flows": [
        {"path": "/acme/weather/hot", "capacity": 50, "description": "hot days"},
        {"path": "/acme/weather/jfk", "capacity": 1000, "index": ["temp"]},
    ],
    "tracks": [
        {
            "source": "/acme/weather/jfk",
            "destination": "/acme/weather/hot",
            "filter": "temp > 30",
        }
    ],
    "tasks": [
        {
            "type": "rss",
            "destination": "/acme/weather/hot",
            "url": "https://example.com/feed",
            "periodicity": 3_600_000,
        }
    ],
}
NAMES = [
    "flow /acme/weather/hot",
    "flow /acme/weather/jfk",
    "track /acme/weather/jfk -> /acme/weather/hot",
    "rss /acme/weather/hot -> https://example.com/feed",
]


def changed(**members: Any) -> dict[str, Any]:
    """The plan with other members."""
    return {**PLAN, **members}


def push(api: Client, plan: Any, **options: bool) -> Any:
    return api.post("/plan", {**plan, **options}).ok()


def pull(api: Client, path: str = "/acme/weather") -> Any:
    return api.get(f"/plan?path={path}").ok()


@pytest.fixture
def pushed(api: Client) -> Any:
    return push(api, PLAN)


def stored(platform: Platform, resource: str) -> str:
    """The row of a resource, as text."""
    query = select(resources).where(resources.c.id == resource)
    return str(platform.store.read(lambda connection: connection.execute(query).one()))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Client]:
    with open_platform(tmp_path / "elsewhere", "acme") as platform:
        yield client_of(platform)


def test_what_is_pushed_is_pulled(api: Client, pushed: Any) -> None:
    assert pushed == {"created": NAMES, "changed": [], "deleted": [], "unchanged": 0}
    assert pull(api) == PLAN
    assert push(api, PLAN) == {"created": [], "changed": [], "deleted": [], "unchanged": 4}


def test_what_was_pulled_can_be_pushed_elsewhere(api: Client, pushed: Any, elsewhere: Client) -> None:
    push(elsewhere, pull(api))
    assert pull(elsewhere) == PLAN
    elsewhere.post("/drop", {"path": "/acme/weather/jfk", "elems": {"temp": 35}}).ok(201)
    assert len(elsewhere.get("/drop?path=/acme/weather/hot").ok()) == 1


def test_it_holds_what_lies_beneath_its_path(api: Client, pushed: Any) -> None:
    api.flow("weatherman")
    api.flow("weather")
    paths = [flow["path"] for flow in pull(api)["flows"]]
    assert paths == ["/acme/weather", "/acme/weather/hot", "/acme/weather/jfk"]
    assert [flow["path"] for flow in pull(api, "/acme/weather/hot")["flows"]] == ["/acme/weather/hot"]
    assert len(pull(api, "/acme")["flows"]) == 4


def test_a_change_keeps_ids_and_drops(api: Client, pushed: Any) -> None:
    before = {flow["path"]: flow["id"] for flow in api.get("/flow").ok()}
    api.post("/drop", {"path": "/acme/weather/jfk", "elems": {"temp": 5}}).ok(201)
    (track,) = PLAN["tracks"]
    plan = changed(
        flows=[{"path": "/acme/weather/hot"}, {"path": "/acme/weather/jfk", "capacity": 7}],
        tracks=[{**track, "filter": "temp > 35"}],
    )
    assert push(api, plan)["changed"] == [
        {"name": NAMES[0], "members": {"description": ["hot days", None]}},
        {"name": NAMES[1], "members": {"index": [["temp"], None], "capacity": [1000, 7]}},
        {"name": NAMES[2], "members": {"filter": ["temp > 30", "temp > 35"]}},
    ]
    assert {flow["path"]: flow["id"] for flow in api.get("/flow").ok()} == before
    assert len(api.get("/drop?path=/acme/weather/jfk").ok()) == 1
    (hot, _) = pull(api)["flows"]
    assert hot == {"path": "/acme/weather/hot", "capacity": 50}


def test_a_dry_run_says_the_same_and_does_nothing(api: Client, pushed: Any) -> None:
    plan = changed(flows=[PLAN["flows"][1], {"path": "/acme/weather/new"}], tracks=[])
    before = api.get("/flow").ok(), api.get("/track").ok()
    tried = push(api, plan, dryRun=True, delete=True)
    assert tried["created"] == ["flow /acme/weather/new"]
    assert set(tried["deleted"]) == {NAMES[0], NAMES[2]}
    assert (api.get("/flow").ok(), api.get("/track").ok()) == before
    assert push(api, plan, delete=True) == tried
    assert pull(api)["tracks"] == []


def test_what_is_not_listed_is_left_alone_unless_told_otherwise(api: Client, pushed: Any) -> None:
    empty = {"path": "/acme/weather"}
    assert push(api, empty) == {"created": [], "changed": [], "deleted": [], "unchanged": 0}
    assert push(api, empty, delete=True)["deleted"] == [NAMES[3], NAMES[2], NAMES[1], NAMES[0]]
    assert api.get("/flow").ok() == []


def test_all_or_nothing(api: Client) -> None:
    (track,) = PLAN["tracks"]
    refused = api.post("/plan", changed(tracks=[{**track, "destination": "/acme/weather/none"}]))
    assert refused.status == 404
    expected = (
        "track /acme/weather/jfk -> /acme/weather/none: destination: there is no flow /acme/weather/none"
    )
    assert refused.error == expected
    assert api.get("/flow").ok() == []


def test_objects_of_one_name_are_paired_with_equal_ones_first(api: Client, pushed: Any) -> None:
    (track,) = PLAN["tracks"]
    cold = {**track, "filter": "temp < 0"}
    assert push(api, changed(tracks=[cold, track]))["created"] == [NAMES[2]]
    assert push(api, changed(tracks=[track, cold]))["unchanged"] == 5
    warm = {**track, "filter": "temp > 20"}
    (change,) = push(api, changed(tracks=[warm, cold]))["changed"]
    assert change["members"] == {"filter": ["temp > 30", "temp > 20"]}


def test_it_holds_no_password_and_leaves_it_alone(platform: Platform, api: Client, pushed: Any) -> None:
    task = {
        "destination": "/acme/weather/hot",
        "uri": "tcp://example.com:1883",
        "topic": "t",
        "password": "hunter2",
    }
    made = api.post("/mqtt", task).ok(201)
    plan = pull(api)
    assert "hunter2" not in str(plan)
    task = next(one for one in plan["tasks"] if one["type"] == "mqtt")
    task.update(qos=1, password="guessed")
    assert push(api, plan)["changed"] == [
        {"name": "mqtt /acme/weather/hot -> tcp://example.com:1883 -> t", "members": {"qos": [None, 1]}}
    ]
    assert "hunter2" in stored(platform, made["id"])


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ([], "a plan is a JSON object"),
        ({}, "path must be a string"),
        ({"path": "/other/x"}, "outside the account"),
        ({"path": "/acme/x", "trackz": []}, "no member 'trackz'"),
        ({"path": "/acme/x", "flows": {}}, "flows must be a list"),
        ({"path": "/acme/x", "flows": [5]}, "flows[0] must be a map"),
        ({"path": "/acme/x", "flows": [{}]}, "flows[0]: path is required"),
        ({"path": "/acme/x", "flows": [{"path": "/acme/xy"}]}, "does not lie beneath /acme/x"),
        ({"path": "/acme/x", "flows": [{"path": "/acme/x/a"}] * 2}, "lists flow /acme/x/a 2 times"),
        (
            {"path": "/acme/x", "flows": [{"path": "/acme/x/a", "capacity": -1}]},
            "flow /acme/x/a: capacity must",
        ),
        (
            {"path": "/acme/x", "tasks": [{"destination": "/acme/x"}]},
            "type must be one of api-task, rss, mqtt",
        ),
        ({"path": "/acme/x", "dryRun": 1}, "must be true or false"),
    ],
)
def test_a_wrong_plan_is_refused(api: Client, plan: Any, said: str) -> None:
    refused = api.post("/plan", plan)
    assert refused.status == 400
    assert said in refused.error
    assert api.get("/flow").ok() == []


def test_rights(api: Client, pushed: Any, platform: Platform) -> None:
    api.flow("secret")

    def holder(**paths: Any) -> Client:
        granted = {f"/acme/{name}": permissions for name, permissions in paths.items()}
        return api.as_(api.post("/token", {"paths": granted}).ok(201)["tokenString"])

    reader, administrator = holder(weather={"dropRead": True}), holder(weather={"administer": True})
    assert pull(reader, "/acme") == {**PLAN, "path": "/acme"}
    assert reader.post("/plan", PLAN).status == 403
    assert push(administrator, PLAN)["unchanged"] == 4
    outside = {"path": "/acme", "flows": [{"path": "/acme/secret", "capacity": 1}]}
    for options in ({}, {"dryRun": True}, {"delete": True}):
        assert administrator.post("/plan", {**outside, **options}).status == 403
    assert "flow /acme/secret" not in push(administrator, {"path": "/acme"}, delete=True)["deleted"]
    assert [flow["path"] for flow in api.get("/flow").ok()] == ["/acme/secret"]
    assert api.as_(platform.accounts.new_master("acme"), "other").get("/plan?path=/acme").status == 403
    assert "path is required" in api.get("/plan").error

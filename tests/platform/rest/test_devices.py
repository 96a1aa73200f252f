"""Devices: their flows, their token, and when they were seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API
from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.resources.access import device_sightings
from flowthings_like.platform.store.schema import resources

from .harness import Client, client_of


@pytest.fixture
def device(api: Client) -> Any:
    """A device at /acme/car, as it was created."""
    return api.post("/device", {"path": "/acme/car", "displayName": "Car"}).ok(201)


@pytest.fixture
def car(api: Client, device: Any) -> Client:
    """The device as a caller."""
    return api.as_(device["tokenString"])


def test_a_device_reports_with_the_token_that_it_got(api: Client, device: Any, car: Client) -> None:
    car.post("/drop", {"path": "/acme/car/default", "elems": {"speed": 50}}).ok(201)
    (drop,) = api.get("/drop?path=/acme/car/default").ok()
    assert drop["elems"] == {"speed": 50}
    api.post("/drop", {"path": "/acme/car/command", "elems": {"horn": True}}).ok(201)
    assert [one["elems"] for one in car.get("/drop?path=/acme/car/command").ok()] == [{"horn": True}]
    assert car.get(f"/device/{device['id']}").ok()["displayName"] == "Car"


def test_it_reaches_nothing_else(api: Client, device: Any, car: Client) -> None:
    other = api.post("/device", {"path": "/acme/carrier"}).ok(201)
    drop = {"path": "/acme/carrier/default", "elems": {"speed": 50}}
    assert car.post("/drop", drop).status == 403
    assert car.get("/drop?path=/acme/carrier/default").status == 403
    assert car.get(f"/device/{other['id']}").status == 403
    assert [one["id"] for one in car.get("/device").ok()] == [device["id"]]
    assert car.put(f"/device/{device['id']}", {"displayName": "Bus"}).status == 403
    assert car.delete(f"/device/{device['id']}").status == 403
    assert car.post("/device", {"path": "/acme/car/wheel"}).status == 403


def test_its_tokens_string_is_shown_once(api: Client, device: Any) -> None:
    assert len(device["tokenString"]) == 28
    token = api.get(f"/token/{device['tokenId']}").ok()
    assert token["paths"] == {"/acme/car": {"dropRead": True, "dropWrite": True}}
    assert token["deviceId"] == device["id"]
    place = f"/device/{device['id']}"
    shown = [
        api.get(place).ok(),
        *api.get("/device").ok(),
        api("MGET", "/device", [device["id"]]).ok()[device["id"]],
        api.put(place, {"displayName": "Bus"}).ok(),
    ]
    for one in shown:
        assert "tokenString" not in one
        assert one["tokenId"] == device["tokenId"]
    (stored,) = api.get("/token").ok()
    assert "tokenString" not in stored


def test_it_is_unseen_until_its_token_is_used(api: Client, device: Any, car: Client) -> None:
    place = f"/device/{device['id']}"
    api.post("/drop", {"path": "/acme/car/default", "elems": {"speed": 0}}).ok(201)  # by somebody else
    for one in (device, api.get(place).ok()):
        assert one["status"] == "UNSEEN"
        assert one["timeSinceLastSeen"] == -1
        assert "lastSeen" not in one
    car.get("/drop?path=/acme/car/command").ok()
    seen = api.get(place).ok()
    assert seen["status"] == "SEEN"
    assert seen["lastSeen"] >= device["creationDate"]
    assert 0 <= seen["timeSinceLastSeen"] < 60_000
    assert "lastEditDate" not in seen
    assert api.get('/device?filter=status=="UNSEEN"').ok() == []
    assert len(api.get('/device?filter=status=="SEEN"').ok()) == 1


def test_a_refused_request_is_a_sign_of_life_too(api: Client, device: Any, car: Client) -> None:
    assert car.delete(f"/device/{device['id']}").status == 403
    assert api.get(f"/device/{device['id']}").ok()["status"] == "SEEN"


def test_later_sightings_are_written_every_few_seconds(
    api: Client, device: Any, car: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"/device/{device['id']}"
    car.get("/flow").ok()
    first = api.get(place).ok()["lastSeen"]
    now = first + 1000
    monkeypatch.setattr(device_sightings.ids, "now_ms", lambda: now)
    car.get("/flow").ok()
    assert api.get(place).ok()["lastSeen"] == first
    monkeypatch.setattr(api.application._sightings, "_due", 0.0)
    assert api.get(place).ok()["lastSeen"] == now


def test_they_are_written_when_the_platform_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_platform(tmp_path / "data", "acme") as platform:
        api = client_of(platform)
        device = api.post("/device", {"path": "/acme/car"}).ok(201)
        car = api.as_(device["tokenString"])
        car.get("/flow").ok()
        now = api.get(f"/device/{device['id']}").ok()["lastSeen"] + 1000
        monkeypatch.setattr(device_sightings.ids, "now_ms", lambda: now)
        car.get("/flow").ok()
    with open_platform(tmp_path / "data", "acme") as platform:
        assert client_of(platform).get(f"/device/{device['id']}").ok()["lastSeen"] == now


def test_a_sighting_that_could_not_be_written_is_kept(
    api: Client, device: Any, car: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sightings = api.application._sightings

    class Broken:
        def write(self, _work: object) -> None:
            raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(sightings, "_store", Broken())
        car.get("/flow").ok()
    assert api.get(f"/device/{device['id']}").ok()["status"] == "UNSEEN"
    sightings.flush()
    assert api.get(f"/device/{device['id']}").ok()["status"] == "SEEN"


def test_what_the_platform_says_of_a_device_cannot_be_written(api: Client, device: Any) -> None:
    place = f"/device/{device['id']}"
    said = {"status": "SEEN", "lastSeen": 5, "timeSinceLastSeen": 5, "tokenId": "k" + "0" * 24}
    changed = api.put(place, {**said, "displayName": "Bus"}).ok()
    assert changed["displayName"] == "Bus"
    for member in said:
        assert changed.get(member) == device.get(member)
    assert "set by the platform" in api.put(f"{place}/tokenId", "k" + "0" * 24).error
    pretender = api.post("/token", {"paths": {"/acme": {"dropRead": True}}, "deviceId": device["id"]}).ok(201)
    assert "deviceId" not in pretender
    api.as_(pretender["tokenString"]).get("/flow").ok()
    assert api.get(place).ok()["status"] == "UNSEEN"


def test_deleting_a_device_revokes_its_token_and_keeps_its_flows(
    api: Client, device: Any, car: Client
) -> None:
    car.post("/drop", {"path": "/acme/car/default", "elems": {"speed": 50}}).ok(201)
    flows = api.get("/flow").ok()
    api.delete(f"/device/{device['id']}").ok()
    assert car.get("/flow").status == 403
    assert api.get("/token").ok() == []
    assert api.get("/flow").ok() == flows
    again = api.post("/device", {"path": "/acme/car"}).ok(201)  # finds its flows there
    assert api.get("/flow").ok() == flows
    assert again["tokenString"] != device["tokenString"]


def test_a_device_outlives_its_token(api: Client, device: Any, car: Client) -> None:
    api.delete(f"/token/{device['tokenId']}").ok()
    assert car.get("/flow").status == 403
    assert api.get(f"/device/{device['id']}").ok()["tokenId"] == device["tokenId"]
    api.delete(f"/device/{device['id']}").ok()


def test_a_path_has_one_device_and_keeps_it(api: Client, device: Any) -> None:
    refused = api.post("/device", {"path": "/acme/car"})
    assert refused.error == f"a device with this path exists: {device['id']}"
    moved = api.put(f"/device/{device['id']}", {"path": "/acme/bus"})
    assert "cannot be changed" in moved.error
    assert len(api.get("/token").ok()) == 1


def test_whoever_creates_one_must_be_allowed_to_hand_out_its_rights(api: Client, platform: Platform) -> None:
    made = api.post("/token", {"paths": {"/acme/fleet": {"administer": True}}}).ok(201)
    administrator = api.as_(made["tokenString"])
    device = administrator.post("/device", {"path": "/acme/fleet/car"}).ok(201)
    drop = {"path": "/acme/fleet/car/default", "elems": {"a": 1}}
    api.as_(device["tokenString"]).post("/drop", drop).ok(201)
    assert administrator.post("/device", {"path": "/acme/car"}).status == 403
    platform.accounts.ensure("other")
    other = api.as_(platform.accounts.new_master("other"))
    theirs = other.as_(other.token, "other").get("/identity").ok()[0]["id"]
    api.post("/share", {"issuedTo": theirs, "paths": {"/acme/fleet": {"read": True, "write": True}}}).ok(201)
    before = api.get("/flow").ok()
    refused = other.post("/device", {"path": "/acme/fleet/bus"})
    assert (refused.status, refused.error) == (403, "no administer right at /acme/fleet/bus")
    assert api.get("/flow").ok() == before  # nothing was made of it


def test_one_of_an_earlier_version_has_no_token(api: Client, device: Any, platform: Platform) -> None:
    old = {name: value for name, value in device.items() if name not in ("tokenId", "tokenString")}
    change = resources.update().where(resources.c.id == device["id"]).values(body=json.dumps(old))
    platform.store.write(lambda connection: connection.execute(change).close(), clears_cache=True)
    place = f"/device/{device['id']}"
    assert api.put(place, {"displayName": "Bus"}).ok()["status"] == "UNSEEN"
    api.delete(place).ok()


def test_through_the_client(tmp_path: Path) -> None:
    with API.embedded(tmp_path / "data") as api:
        device = api.device.create({"path": "/acme/car"})
        assert device["tokenString"]
        assert api.device.read(device["id"])["status"] == "UNSEEN"
        paths = {flow["path"] for flow in api.flow.find()}
        assert paths == {"/acme/car/default", "/acme/car/command", "/acme/car/report"}

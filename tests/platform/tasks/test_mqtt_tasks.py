"""MQTT tasks, against a real Mosquitto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt import publish as paho_publish
from paho.mqtt.enums import CallbackAPIVersion

from flowthings_like import API, Token
from flowthings_like.errors import FlowThingsBadRequest, FlowThingsForbidden
from flowthings_like.platform.tasks import broker_client

from ...servers.mosquitto import Mosquitto
from .waiting import until

numbers = iter(range(10**6))


@pytest.fixture
def topic() -> str:
    return f"test/{next(numbers)}"


def new_task(api: API, broker: Mosquitto, **members: Any) -> str:
    return str(api.mqtt_task.create({"uri": broker.uri, **members})["id"])


def status_of(api: API, id_: str, status: str = "OK") -> Any:
    def look() -> Any:
        task = api.mqtt_task.read(id_)
        return task if task.get("status") == status else None

    return until(look)


def say(broker: Mosquitto, topic: str, payload: Any, **options: Any) -> None:
    data = payload if isinstance(payload, (bytes, str)) else json.dumps(payload)
    paho_publish.single(topic, data, 1, hostname=broker.host, port=broker.port, **options)


@contextmanager
def listening(broker: Mosquitto, topic: str) -> Iterator[list[Any]]:
    """The messages of a topic, as they come."""
    heard: list[Any] = []
    ready: list[bool] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: client.subscribe(topic, 1)
    client.on_subscribe = lambda *_: ready.append(True)
    client.on_message = lambda _client, _data, message: heard.append(json.loads(message.payload))
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        until(lambda: ready)
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def elems(api: API) -> list[Any]:
    return [drop["elems"] for drop in api.drop("/acme/x").find()]


def test_a_message_becomes_a_drop(api: API, mosquitto: Mosquitto, topic: str) -> None:
    id_ = new_task(api, mosquitto, destination="/acme/x", topic=f"{topic}/#", qos=1)
    status_of(api, id_)
    say(mosquitto, f"{topic}/a", {"elems": {"n": 1}})
    say(mosquitto, f"{topic}/b", {"elems": {"n": 2}, "fhash": "h"})
    say(mosquitto, "test/other", {"elems": {"n": 3}})
    until(lambda: elems(api) == [{"n": 2}, {"n": 1}])
    task = api.mqtt_task.read(id_)
    assert api.drop(task["reportPath"]).find()[0]["elems"]["status"] == "OK"


def test_a_bad_message_is_reported_and_the_next_one_is_taken(
    api: API, mosquitto: Mosquitto, topic: str
) -> None:
    id_ = new_task(api, mosquitto, destination="/acme/x", topic=topic, qos=1)
    status_of(api, id_)
    say(mosquitto, topic, "hello")
    assert "a message is no JSON" in status_of(api, id_, "ERROR")["statusMessage"]
    say(mosquitto, topic, {"elems": {"n": 1}})
    until(lambda: elems(api) == [{"n": 1}])
    status_of(api, id_)


def test_a_drop_becomes_a_message(api: API, mosquitto: Mosquitto, topic: str) -> None:
    api.drop("/acme/x").create({"elems": {"n": 0}})  # before the task
    with listening(mosquitto, topic) as heard:
        id_ = new_task(api, mosquitto, source="/acme/x", topic=topic, qos=1)
        made = api.drop("/acme/x").create({"elems": {"n": 1}})
        api.drop("/acme/x").create_many([{"elems": {"n": n}} for n in range(2, 252)])
        until(lambda: len(heard) >= 251)
        assert [drop["elems"]["n"] for drop in heard] == list(range(1, 252))
        assert heard[0]["id"] == made["id"]
        api.mqtt_task.update({"id": id_, "disabled": True})
        say(mosquitto, topic, "0")
        until(lambda: heard[-1] == 0)


def test_drops_that_come_while_nobody_runs_the_tasks_are_published_later(
    tmp_path: Path, mosquitto: Mosquitto, topic: str
) -> None:
    options: dict[str, Any] = {"tasks": True, "task_networks": ["127.0.0.1"]}
    with listening(mosquitto, topic) as heard:
        with API.embedded(tmp_path / "data", **options) as api:
            api.flow.create({"path": "/acme/x"})
            new_task(api, mosquitto, source="/acme/x", topic=topic, qos=1)
            api.drop("/acme/x").create({"elems": {"n": 1}})
            until(lambda: heard)
        with API.embedded(tmp_path / "data") as api:
            api.drop("/acme/x").create({"elems": {"n": 2}})
        with API.embedded(tmp_path / "data", **options):
            until(lambda: len(heard) == 2)
    assert [drop["elems"]["n"] for drop in heard] == [1, 2]


def test_messages_that_come_meanwhile_and_a_restarted_broker(tmp_path: Path, topic: str) -> None:
    options: dict[str, Any] = {"tasks": True, "task_networks": ["127.0.0.1"]}
    with Mosquitto() as broker:
        with API.embedded(tmp_path / "data", **options) as api:
            api.flow.create({"path": "/acme/x"})
            id_ = new_task(api, broker, destination="/acme/x", topic=topic, qos=1)
            status_of(api, id_)
        say(broker, topic, {"elems": {"n": 1}})
        with API.embedded(tmp_path / "data", **options) as api:
            until(lambda: elems(api) == [{"n": 1}])
            broker.restart()
            say(broker, topic, {"elems": {"n": 2}})
            until(lambda: elems(api) == [{"n": 2}, {"n": 1}])


def test_a_broker_that_wants_a_password(api: API, topic: str) -> None:
    with Mosquitto(secured=True) as broker:
        members = {"destination": "/acme/x", "topic": topic, "username": broker.user}
        id_ = new_task(api, broker, **members, password="wrong")
        task = status_of(api, id_, "ERROR")
        assert "refuses the connection" in task["statusMessage"]
        assert "password" not in task
        changed = api.mqtt_task.update({"id": id_, "password": broker.password})
        assert "password" not in changed
        status_of(api, id_)
        say(broker, topic, {"elems": {"n": 1}}, auth={"username": broker.user, "password": broker.password})
        until(lambda: elems(api) == [{"n": 1}])


def test_a_large_message(api: API, mosquitto: Mosquitto, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_client, "LARGEST_MESSAGE", 1000)
    id_ = new_task(api, mosquitto, destination="/acme/x", topic=topic)
    status_of(api, id_)
    say(mosquitto, topic, {"elems": {"text": "x" * 2000}})
    assert "more than 1000 bytes" in status_of(api, id_, "ERROR")["statusMessage"]
    assert elems(api) == []


def test_a_private_broker_is_refused(tmp_path: Path, mosquitto: Mosquitto, topic: str) -> None:
    with API.embedded(tmp_path / "other", tasks=True) as api:
        api.flow.create({"path": "/acme/x"})
        task = status_of(api, new_task(api, mosquitto, destination="/acme/x", topic=topic), "ERROR")
        assert "tasks may not connect to 127.0.0.1" in task["statusMessage"]


def test_nobody_publishes_what_they_may_not_read(api: API, mosquitto: Mosquitto, tmp_path: Path) -> None:
    token = api.token.create({"paths": {"/acme/y": {"administer": True}, "/acme/x": {"read": True}}})
    with API.embedded(tmp_path / "data") as restricted:
        restricted.creds = Token("acme", token["tokenString"])
        new_task(restricted, mosquitto, source="/acme/y", topic="t")
        for member in "source", "destination":
            with pytest.raises(FlowThingsForbidden):
                new_task(restricted, mosquitto, **{member: "/acme/x"}, topic="t")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"destination": "/acme/x"}, "topic is required"),
        ({"source": "/acme/x", "topic": "a/#"}, "topic"),
        ({"destination": "/acme/x", "topic": "a#"}, "topic"),
    ],
)
def test_bad_topics(api: API, mosquitto: Mosquitto, members: Any, reason: str) -> None:
    with pytest.raises(FlowThingsBadRequest, match=reason):
        new_task(api, mosquitto, **members)

from __future__ import annotations

from paho.mqtt import publish, subscribe

from .mosquitto import Mosquitto


def test_it_keeps_messages_over_a_restart() -> None:
    with Mosquitto(secured=True) as broker:
        login = {"username": broker.user, "password": broker.password}
        where = {"hostname": broker.host, "port": broker.port}
        publish.single("kept", "hello", 1, True, **where, auth=login)
        broker.restart()
        assert subscribe.simple("kept", 1, **where, auth=login).payload == b"hello"

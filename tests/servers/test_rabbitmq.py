from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import amqp
import pytest

from .rabbitmq import RabbitMQ


def connect(server: RabbitMQ, user: str, password: str) -> amqp.Connection:
    connection = amqp.Connection(f"{server.host}:{server.port}", userid=user, password=password)
    connection.connect()
    return connection


def processes_in(folder: Path) -> list[str]:
    """The processes whose home is the folder."""
    home = b"HOME=" + bytes(folder) + b"\0"
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or belongs to another user
            if home in path.read_bytes():
                found.append((path.parent / "comm").read_text().strip())
    return found


@pytest.mark.once
def test_a_restart_keeps_messages_and_a_stop_leaves_no_process() -> None:
    with RabbitMQ() as server:
        with connect(server, server.user, server.password) as connection:
            channel = connection.channel()
            channel.queue_declare("kept", durable=True, auto_delete=False)
            channel.basic_publish(amqp.Message("hello", delivery_mode=2), routing_key="kept")
        server.restart()
        with connect(server, server.user, server.password) as connection:
            assert connection.channel().basic_get("kept").body == "hello"
        with pytest.raises(amqp.AccessRefused):
            connect(server, "guest", "guest")
        folders = (server.folder, server._names.folder)
        assert "beam.smp" in processes_in(folders[0])
        assert "epmd" in processes_in(folders[1])
    # The broker's helpers end when they see that it has ended.
    deadline = time.monotonic() + 30
    while left := [name for folder in folders for name in processes_in(folder)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    assert not any(folder.exists() for folder in folders)

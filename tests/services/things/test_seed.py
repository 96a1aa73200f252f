"""The examples of the original client's document run without await."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

import flowthings_like
from flowthings_like import API, Client, Room, event, set_package_fail_file

from .support import wait_until


def test_hello_world(things: Client) -> None:
    host, port, user, password = things.address()
    client = Client()
    client.connect(host, port)
    try:
        client.authenticate(user, password)
        found = client.query("""
            "Hello World!";
        """)
        assert found == "Hello World!"
    finally:
        client.close_and_wait()
    assert not client.is_connected()


def test_hello_world_over_a_websocket(things: Client) -> None:
    host, port, user, password = things.address()
    client = Client()
    client.connect(f"ws://{host}:{port}")
    try:
        client.authenticate(user, password)
        assert client.is_websocket()
        assert client.query('"Hello World!";') == "Hello World!"
    finally:
        client.close_and_wait()


def test_a_token(things: Client) -> None:
    host, port, user, _ = things.address()
    token = things.new_token(user, description="for the test")
    assert things.has_token(token)
    client = Client()
    client.connect(host, port)
    client.authenticate(token)
    assert client.user_info()["name"] == user
    client.close_and_wait()
    things.del_token(token)
    assert not things.has_token(token)


def test_a_pool(things: Client) -> None:
    host, port, user, password = things.address()
    client = Client()
    client.connect_pool([f"things://{host}:{port}", (host, port)], user, password)
    assert client.is_connected()
    assert client.connection_info() == f"{host}:{port}"
    assert client.reconnect() is None
    assert client.query("1 + 1;") == 2
    client.close()
    client.wait_closed()
    assert client.connection_info() == "disconnected"


def test_variables_and_scopes(things: Client) -> None:
    client = things
    assert Client().get_default_scope() == "@t"
    client.set_default_scope("@:stuff")
    assert client.get_default_scope() == "@:stuff"
    client.query(".my_book = book;", book={"title": "Manual ThingsDB"})
    assert client.query(".my_book.title;", scope="//stuff") == "Manual ThingsDB"


def test_procedures(things: Client) -> None:
    things.query("new_procedure('add', |a, b| a + b);")
    assert things.run("add", 20, 22) == 42
    assert things.run("add", a=20, b=22, scope="//stuff", timeout=5) == 42


def test_a_chat(things: Client, other: Client) -> None:
    heard = []

    class Chat(Room):
        @event("msg")
        def on_msg(self, msg: Any) -> None:
            heard.append(msg)

    chat = Chat("""//ti
        // Create .chat room if the room does not exist.
        .has('chat') || .chat = room();

        // return the roomId.
        .chat.id();
    """)
    assert chat.id is None
    chat.join(things)
    assert things.get_rooms() == (chat,)
    assert chat.scope == "@collection:stuff"
    assert chat.client is things
    there = Room(chat.id or 0)
    there.no_join(other)
    there.emit("msg", "hello")
    wait_until(lambda: heard == ["hello"])
    chat.leave()
    assert things.get_rooms() == ()


def test_the_file_for_a_body_that_does_not_decode(tmp_path: Path) -> None:
    set_package_fail_file(str(tmp_path / "invalid-data.mp"))
    set_package_fail_file()


NAMES = {
    "__init__": {"auto_reconnect": True, "ssl": None, "loop": None},
    "authenticate": {"timeout": 5},
    "close": {},
    "close_and_wait": {},
    "connect": {"port": 9200, "timeout": 5},
    "connect_pool": {},
    "get_default_scope": {},
    "get_event_loop": {},
    "get_rooms": {},
    "is_connected": {},
    "is_websocket": {},
    "query": {"scope": None, "timeout": None, "skip_strip_code": False},
    "reconnect": {},
    "run": {"scope": None, "timeout": None},
    "set_default_scope": {},
    "wait_closed": {},
}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_its_defaults(name: str) -> None:
    parameters = inspect.signature(getattr(Client, name)).parameters
    for argument, default in NAMES[name].items():
        assert parameters[argument].default == default


def test_every_name_of_a_room() -> None:
    for name in (
        "on_init",
        "on_join",
        "on_leave",
        "on_delete",
        "on_emit",
        "join",
        "leave",
        "emit",
        "no_join",
    ):
        assert callable(getattr(Room, name))
    assert inspect.signature(Room.join).parameters["wait"].default == 60.0
    for name in ("id", "scope", "client"):
        assert isinstance(getattr(Room, name), property)
    for name in ("Client", "Room", "event", "set_package_fail_file"):
        assert name in flowthings_like.__all__


def test_every_builtin_is_there(api: API) -> None:
    """The 48 of them, against the genuine package's own list."""
    buildin = pytest.importorskip("thingsdb.client.buildin").Buildin
    theirs = {name for name, value in vars(buildin).items() if inspect.iscoroutinefunction(value)}
    assert len(theirs) == 48
    for name in theirs:
        ours = inspect.signature(getattr(Client, name)).parameters
        for argument, parameter in inspect.signature(getattr(buildin, name)).parameters.items():
            assert argument in ours
            if parameter.default is not inspect.Parameter.empty and name != "restore":
                assert ours[argument].default == parameter.default

"""`flowthings_like.things` by itself: no API, no account, and nothing that only an API needs."""

from __future__ import annotations

import builtins

import pytest

import flowthings_like
from flowthings_like import API, InvalidInput, force, things
from flowthings_like.things import Client, NotJoined, Room, ThingsDBError, event, things_errors
from tests.test_import import HEAVY, run

UNPACKS = {"msgpack", "msgspec"}


@pytest.mark.once
def test_importing_it_brings_in_nothing_heavy() -> None:
    """Not even sockets and ssl, so that both may still be patched."""
    script = f"""
import sys
import flowthings_like
assert "flowthings_like.things" not in sys.modules
from flowthings_like.things import Client, Room, event
Client().set_default_scope("//stuff")
Room(7)
print([name for name in {set(HEAVY) - UNPACKS!r} if name in sys.modules])
"""
    assert run(script) == "[]"


@pytest.mark.once
@pytest.mark.parametrize(
    "patch", ["from gevent import monkey; monkey.patch_all()", "import eventlet; eventlet.monkey_patch()"]
)
def test_a_client_may_be_made_before_the_patching(patch: str) -> None:
    script = f"""
import warnings
from flowthings_like.things import Client, ConnectionFailed
client = Client()
warnings.filterwarnings("error", message="Monkey-patching")
{patch}
try:
    client.connect("127.0.0.1", 9)
except ConnectionFailed as error:
    print(type(error).__name__)
"""
    assert run(script) == "ConnectionFailed"


def test_what_it_has() -> None:
    """No name of a builtin among them, so that `import *` hides none."""
    assert sorted(things.__all__) == sorted(set(things.__all__))
    assert all(hasattr(things, name) for name in things.__all__)
    assert not [name for name in things.__all__ if hasattr(builtins, name)]
    for name in ("Client", "Room", "event", "EventsLost", "NotJoined", "set_package_fail_file"):
        assert getattr(things, name) is getattr(flowthings_like, name)
    assert issubclass(things_errors.LookupError, ThingsDBError)


class Chat(Room):
    def __init__(self) -> None:
        super().__init__(".has('chat') || .chat = room(); .chat.id();", scope="//stuff")
        self.said: list[str] = []

    @event("said")
    def on_said(self, text: str) -> None:
        self.said.append(text)


def test_a_program_with_nothing_else(api: API) -> None:
    host, port, user, password = api.things.address()  # of a node that is there

    client = Client()
    client.connect(host, port)
    client.authenticate(user, password)
    assert client.query("6 * 7;") == 42
    with pytest.raises(ThingsDBError) as caught:
        client.query(".missing;", "//stuff")
    assert isinstance(caught.value, LookupError)

    chat = Chat()
    with pytest.raises(NotJoined):
        chat.emit("said", "too early")
    chat.join(client)
    heard = chat.events(timeout=20)
    chat.emit("said", "hello")
    assert next(heard) == ("said", ["hello"])
    chat.leave()
    client.close_and_wait()
    assert chat.said == ["hello"]


def test_a_client_has_lazy_and_async(other: Client) -> None:
    lazy = other.lazy()
    one, two = lazy.query("20 + 1;"), lazy.query("20 + 2;")  # both are on their way
    assert one + two == 43
    with other.async_() as calls:
        for number in range(3):
            calls.query("number * 2;", number=number)
    assert calls.results() == [0, 2, 4]
    assert lazy.is_connected() is True


def test_a_room_has_lazy_and_async(other: Client) -> None:
    chat = Chat()
    with pytest.raises(NotJoined):
        force(chat.lazy().emit("said", "too early"))
    chat.join(other)
    heard = chat.events(timeout=20)
    lazy = chat.lazy()
    emitted = [lazy.emit("said", str(number)) for number in range(50)]
    assert [next(heard) for _ in emitted] == [("said", [str(number)]) for number in range(50)]
    assert all(force(each) is None for each in emitted)
    with chat.async_() as calls:
        calls.emit("said", "once more", peers_only=True)
    assert calls.results() == [None]
    assert lazy.id == chat.id
    force(lazy.leave())
    assert other.get_rooms() == ()


def test_a_lazy_emit_that_the_node_refuses(other: Client) -> None:
    chat = Chat()
    chat.no_join(other)
    other.query(".del('chat');", "//stuff")
    with pytest.raises(LookupError):
        force(chat.lazy().emit("said", "into the void"))
    with pytest.raises(InvalidInput, match="name is a str"):
        force(chat.lazy().emit(7))

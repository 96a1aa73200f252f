"""The seed document's examples with the genuine asyncio client, its awaits included.

    python genuine_client.py HOST PORT USER PASSWORD

HOST is a name, or a WebSocket's URI. What it prints is looked at by the test.
"""

from __future__ import annotations

import asyncio
import datetime
import sys
from typing import Any

from thingsdb.client import Client
from thingsdb.room import Room, event

HOST, PORT, USER, PASSWORD = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]


class Chat(Room):
    """The room of the document, which records its events."""

    def on_init(self) -> None:
        self.told: list[Any] = []
        self.heard = asyncio.Event()

    async def on_join(self) -> None:
        self.told.append("join")
        self.told.append(await self.client.query(".chat.id() == id;", scope=self.scope, id=self.id))

    def on_leave(self) -> None:
        self.told.append("leave")
        self.heard.set()

    def on_delete(self) -> None:
        self.told.append("delete")
        self.heard.set()

    def on_emit(self, name: str, *args: Any) -> None:
        self.told.append((name, *args))

    @event("msg")
    def on_msg(self, msg: str) -> None:
        self.told.append(msg)

    @event("last")
    def on_last(self) -> None:
        self.heard.set()


CODE = """//ti
// Create .chat room if the room does not exist.
.has('chat') || .chat = room();
// return the roomId.
.chat.id();
"""


async def hello_world() -> None:
    client = Client()
    await client.connect(HOST, PORT)
    try:
        await client.authenticate(USER, PASSWORD)
        print(
            await client.query("""
"Hello World!";
""")
        )
        assert client.get_default_scope() == "@t"
        client.set_default_scope("//stuff")
        res = await client.query(".my_book = book;", book={"title": "Manual ThingsDB"})
        print(res["title"])
        await client.query("new_procedure('add', |a, b| a + b);")
        assert await client.run("add", 1, 2) == await client.run("add", b=1, a=2) == 3
        for missing in (client.run("sub", 1), client.query(".nothing;")):
            try:
                await missing
            except LookupError as error:
                print(type(error).__name__, error.error_code)
    finally:
        await client.close_and_wait()


async def rooms() -> None:
    here, there = Client(), Client()
    for client in (here, there):
        await client.connect(HOST, PORT)
        await client.authenticate([USER, PASSWORD] if client is here else (USER, PASSWORD))
        client.set_default_scope("//stuff")
    chat, other = Chat(CODE), Chat(CODE, scope="@:stuff")
    await chat.join(here)
    await other.join(there)
    await here.query(".chat.set_name('chat');")
    quiet = Chat("chat")
    await quiet.no_join(here)
    assert chat.id == other.id == quiet.id
    await chat.emit("msg", "hello")
    await chat.emit("unknown", 1, [2])
    await chat.emit("msg", "for the others", peers_only=True)
    await quiet.emit("last")
    await asyncio.gather(chat.heard.wait(), other.heard.wait())
    assert chat.told == ["join", True, "hello", ("unknown", 1, [2])], chat.told
    assert other.told == ["join", True, "hello", ("unknown", 1, [2]), "for the others"], other.told
    chat.heard.clear()
    other.heard.clear()
    await chat.leave()
    await here.query(".del('chat');")
    await asyncio.gather(chat.heard.wait(), other.heard.wait())
    assert (chat.told[-1], other.told[-1]) == ("leave", "delete")
    assert here.get_rooms() == there.get_rooms() == ()
    for client in (here, there):
        await client.close_and_wait()


async def builtins() -> None:
    client = Client()
    await client.connect(HOST, PORT)
    await client.authenticate(USER, PASSWORD)
    assert await client.new_collection("books") == "books"
    await client.rename_collection("books", "library")
    assert await client.has_collection("library")
    await client.set_time_zone("library", "Europe/Amsterdam")
    assert (await client.collection_info("library"))["time_zone"] == "Europe/Amsterdam"
    assert len(await client.collections_info()) == 2
    await client.new_user("iris")
    await client.set_password("iris", "siri")
    await client.grant("//library", "iris", 27)
    await client.revoke("//library", "iris", 16)
    await client.grant("@t", "iris", 1)
    assert await client.has_user("iris")
    assert (await client.user_info("iris"))["has_password"]
    assert len(await client.users_info()) == 2
    in_a_year = datetime.datetime.now() + datetime.timedelta(days=365)
    token = await client.new_token("iris", expiration_time=in_a_year, description="tests")
    assert await client.has_token(token)
    user = Client()
    await user.connect(HOST, PORT)
    await user.authenticate(token)
    assert (await user.user_info())["name"] == "iris"
    assert await user.query(".title = 'x';", scope="//library") == "x"
    await user.close_and_wait()
    await client.del_token(token)
    await client.del_expired()
    await client.rename_user("iris", "eris")
    await client.del_user("eris")
    await client.del_collection("library")
    assert "UTC" in await client.time_zones_info()
    node = await client.node_info()
    assert [found["node_id"] for found in await client.nodes_info()] == [node["node_id"]]
    await client.reset_counters()
    assert (await client.counters())["queries"] < 3
    for beyond in (
        client.new_module("x", "y"),
        client.new_backup("x"),
        client.modules_info(),
        client.shutdown(),
    ):
        (error,) = await asyncio.gather(beyond, return_exceptions=True)
        assert getattr(error, "error_code", None) == -54, error
        assert "ThingsDB" in str(error), error
    await client.close_and_wait()


if __name__ == "__main__":
    asyncio.run(hello_world())
    asyncio.run(rooms())
    asyncio.run(builtins())
    print("done")

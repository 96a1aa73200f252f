"""A user's script with mistakes. mypy --strict must report each marked line, and no other."""

import re

from flowthings_like import API, Token, force, mem
from flowthings_like.database import ConnectionPool
from flowthings_like.streams import connect
from flowthings_like.things import Client, Room


class Login:
    name: str


api = API(Token("acme", "secret"), host="flows.example.com")
lazy = api.lazy()
calls = api.async_()
client = Client()
room = Room(7)
pool = ConnectionPool("sqlite3", "users.db")


def total(values: list[float]) -> float:
    return sum(values)


def shout(text: str) -> str:
    return text.upper()


# Arguments of the wrong type.
api.flow.find(limit="10")  # !
api.flow.find(mem.path == "/acme/a", order="down")  # !
api.flow.find(["f1", 2])  # !
api.flow.read(5)  # !
api.flow.create("/acme/a")  # !
api.drop(7)  # !
api.drop("f1").create_many(5)  # !
api.drop("f1").aggregate(5)  # !
api.statistics.flow_drop_added("f1", 2026, level="week")  # !
api.track.simulate({"elems": {}})  # !
api.flow.read("f1", timeout="5")  # !
API(Token("acme", "secret"), hots="flows.example.com")  # !

# Members that do not exist.
flows = api.flow.find(mem.path == "/acme/a", limit=10)
flows[0]["pth"]  # !
api.flow.read("f1")["capcity"]  # !
api.drop("f1").find(limit=1)[0].elems  # !
api.flows.find()  # !
api.flow.fnid()  # !
api.track.read("t1")["elems"]  # !
api.drop("f1").read("d1")["parentDropId"]["flow"]  # !

# Results used as another type.
flows["f1"]  # !
api.flow.read_many(["f1"])[0]  # !
shout(api.flow.read("f1")["capacity"])  # !
total(api.drop("f1").find())  # !
name: str = api.flow.read("f1")  # !
api.flow.read_or_else("f1")["path"]  # !
first, references = api.flow.read("f1", refs=True), 1
first["path"]  # !
api.drop("f1").multi_find(["f1"])[0]  # !

# A thunk where a plain value is necessary.
found = lazy.flow.find(limit=10)
flow = lazy.flow.read("f1")
"".join(lazy.flow.read("f1")["path"] for _ in range(2)) + flow["capacity"]  # !
re.match("a", lazy.call(shout, "a"))  # !
total(lazy.call(list[float]))  # !
shout(lazy.call(shout, "a"))  # !
",".join([lazy.call(shout, "a")])  # !
plain: list[str] = lazy.map(shout, ["a"])  # !

# Uses that do not fit the value of a thunk.
found["f1"]  # !
found[0]["pth"]  # !
flow["pth"]  # !
flow[0]  # !
flow.path  # !
found + 1  # !
lazy.flow.fnid()  # !
lazy.flow.find(limit="10")  # !
lazy.drop(found).find()  # !
force(found)["f1"]  # !
lazy.map(shout, [1, 2])  # !

# Functions that are chained to a thunk.
found.then(shout)  # !
lazy.call(shout, "a").then(shout, "b")  # !
lazy.call(shout, "a").then(len).then(shout)  # !
lazy.call(shout, "a").catch(shout)  # !
lazy.call(shout, "a").then(lambda text: lazy.call(len, text)).upper()  # !
lazy.call(shout, "a").addCallback(total)  # !
found.then(len).catch(print) + 1  # !

# Calls and their threads.
thread = calls.flow.find()
thread[0]  # !
thread.get()[0]["pth"]  # !
total(thread.get())  # !
calls.flow.find().get(timeout="5")  # !
calls.results(with_exception=True)  # !

# Databases.
pool.run_query("select 1", rows_as="dict")  # !
pool.run_query("select name", rows_as=Login)[0].nam  # !
pool.run_query("select 1")[0]["name"]  # !
pool.run_interaction(shout) + 1  # !
force(pool.lazy().run_query("select name", rows_as=Login))[0].nam  # !
pool.async_().run_query("select name", rows_as=Login).get()[0].nam  # !
pool.transaction(row_as=dict)  # !
pool.iterate("select 1", size="10")  # !

# ThingsDB alone.
client.query(7)  # !
client.lazy().users_info()[0].name  # !
client.lazy().connect(port="9200")  # !
client.get_rooms()[0].emit(7)  # !
room.join("localhost")  # !
room.lazy().emit("said", timeout="5")  # !
api.lazy().things.usrs_info()  # !
api.room("gales").emit(7)  # !
api.room(dict)  # !
api.lazy().room("gales").join(timeout=3)  # !

# Time series alone.
btrdb = connect("localhost:4410")
btrdb.create("sensors/jfk")  # !
btrdb.stream_from_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8").valus(0, 10)  # !
stream = btrdb.stream_from_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
stream.values(0, 10).means  # !
stream.windows(0, 10, "5")  # !
api.lazy().stream.stream_from_uuid(stream.uuid).count() + "1"  # !
api.lazy().stream.list_collections()[0].name  # !

"""A user's script without mistakes. mypy --strict must report nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flowthings_like import AGE, API, M, P, Token, force, is_none, mem, services, unwrap
from flowthings_like.database import ConnectionPool, Transaction
from flowthings_like.records import (
    BytesPayloadType,
    Channel,
    Key,
    Record,
    RecordBatch,
    ResponseAcq,
    StructPayloadType,
)
from flowthings_like.streams import connect
from flowthings_like.things import Client, Room, event


def highest(drops: list[services.Drop]) -> float:
    return max(float(drop["elems"]["temp"]) for drop in drops)


def first_of(flows: list[services.Flow], place: int) -> services.Flow:
    return flows[place]


def report(error: Exception) -> None:
    print(error)


def failures(error: BaseException) -> int:
    return -1


def path_of(flow: services.Flow) -> str:
    return flow["path"]


def newest(id: str) -> int:
    return len(api.drop(id).find(limit=1))


class Report(services.FullService):
    path = "/report"


api = API(Token("acme", "secret"), host="flows.example.com", timeout=(5, 30))
api.add_service("report", Report)

# Plain calls
flows = api.flow.find((mem.path == "/acme/a") & (AGE < 60_000), limit=10, sort=["path", "id"], order="asc")
print(flows[0]["path"].upper(), flows[0].get("displayName", ""), path_of(flows[0]))
by_id = api.flow.find([flow["id"] for flow in flows])
print(by_id["f1"]["capacity"] + 1)
one, references = api.flow.read("f1", refs=True)
print(one["path"], references["identity"])
some, more = api.flow.find(mem.path == "/acme/a", refs=True, params={"hints": 1})
print(some[0]["id"], more, api.flow.find(own_parameter=5, params=P(limit=3)))
maybe = api.flow.read_or_else("f1", None)
if maybe is not None:
    print(maybe["path"])
models: list[dict[str, Any]] = [{"elems": {"temp": 1.5}, "fhash": "a"}]
print(highest(api.drop(flows[0]).create_many(models)))
api.drop(flows[0]["id"]).create({"elems": {"temp": 1}})
api.flow.update(M(flows[0], displayName="A"))
print(api.flow.save(flows[0])["id"], api.flow.save([flows[0]])["f1"]["id"])
for drop in api.drop("f1").iterate(mem.elems.temp > 5, page=10):
    print(drop["elems"], drop["creationDate"] / 1000)
for live in api.drop("f1").follow(mem.elems.temp > 5, since=drop, timeout=5):
    print(live["elems"], live["creationDate"] / 1000)
rows = api.drop("f1").aggregate("$count", group_by=["$month"], rules={"hot": mem.elems.temp > 90})
print(rows[0]["id"]["$month"], sum(api.statistics.flow_drop_added("f1", 2026)))
print(api.track.simulate({"elems": {}}, "f")["log"], api.identity.find()[0]["groupIds"])
body: Mapping[str, Any] = api.request("GET", "/flow")

# Behind lazy()
with api.lazy() as lazy:
    found = lazy.flow.find(mem.path == "/acme/a", limit=10)
    made = lazy.flow.create({"path": "/acme/b"})
    drops = lazy.drop(found[0]["id"]).find(limit=10)
    saved = [lazy.flow.save(made), lazy.flow.update(M(made, displayName="B"))]
    print(len(found), found[0]["path"], [flow["path"] for flow in found], found[:2], bool(found))
    print(made["path"].upper(), made["capacity"] * 2, made.get("filter"), made.get("filter", ""))
    print(highest(force(drops)), highest(unwrap(drops)), highest(drops.unwrap()), path_of(force(made)))
    print([flow["path"] for flow in unwrap(saved)], is_none(lazy.flow.read_or_else("f1")), repr(found))
    print(
        lazy.drop(made).create({"elems": {"temp": 1}})["elems"]["temp"], "f1" in lazy.flow.read_many(["f1"])
    )
    counts = lazy.map(newest, ["f1", "f2"])
    print(
        counts[0] + 1, sum(unwrap(counts)), max(unwrap(counts)), lazy.call(newest, "f1") > 2, int(counts[0])
    )
    print(re.match("a", force(lazy.call(str.upper, "a"))), lazy.call(str.upper, "a").lower(), f"{counts[0]}")
    print(lazy.flow.read(made["id"])["id"] == made, found == [], found != made, {found[0]["id"]: made})
    for flow in found:
        print(flow["id"])
    top = lazy.drop(made).find().then(highest)
    shown = top.then(lambda degrees: f"{degrees}").catch(lambda error, word: f"{word} {error}", "failed")
    print(top + 1, shown.upper(), path_of(force(found.then(first_of, 0))), lazy.call(newest, "f1").then(str))
    ids = found.then(lambda flows: lazy.drop(flows[0]["id"]).find(limit=1)).then(lambda drops: drops[0]["id"])
    print(ids.upper(), found.then(len).catch(report).then(lambda count: count or 0) + 1)
    both = found.addCallback(len).addErrback(failures).addCallbacks(str, repr).addBoth(print)
    print(is_none(both))
    pair = lazy.flow.find(refs=True)
    its_flows, its_references = force(pair)
    print(its_flows[0]["id"], its_references)

# Behind async_()
with api.async_() as calls:
    thread = calls.flow.find(mem.path == "/acme/a")
    paths = {thread: "/acme/a", calls.flow.find(): "all"}
    print(thread.get(timeout=5)[0]["path"], calls.drop("f1").read("d1").get()["elems"], paths)
    for error, result in calls.results(with_exceptions=True):
        print(error, result)

# Databases


@dataclass
class Login:
    name: str


def count_users(cursor: Transaction, least: int) -> int:
    return max(least, len(cursor.execute("select 1").fetchall()))


pool = ConnectionPool("sqlite3", "users.db", cp_max=3)
print(pool.run_query("select 1")[0][0], pool.run_query("select 1", rows_as=dict)[0]["name"])
print(pool.run_query("select name", rows_as=Login)[0].name.upper(), pool.run_interaction(count_users, 1) + 1)
print(pool.lazy().run_query("select name", rows_as=Login)[0].name, pool.lazy().runQuery("select 1")[0][0])
print(pool.async_().run_query("select name", rows_as=Login).get()[0].name)
print(
    pool.lazy().run_interaction(count_users, 1) + 1, pool.async_().run_interaction(count_users, 1).get() + 1
)
print(pool.lazy().run_query("select 1").then(lambda rows: rows[0][0]), pool.stats().holders[:1])
print(pool.lazy().run_query("select name", rows_as=Login).addCallback(len) + 1)
print(pool.find("users", mem.login == "yoen", columns=("login",), sort="login", limit=10)[0][0])
print(pool.find("users", mem.age > 5, rows_as=dict)[0]["login"], pool.count("users", mem.age > 5) + 1)
print(pool.find("users", rows_as=Login)[0].name, pool.find("users", explain=True).rest)
print(pool.lazy().find("users", rows_as=Login)[0].name, pool.async_().count("users").get() + 1)
print(api.things.find(".books", mem.year > 5)[0]["title"], api.things.count(".books") + 1)
print([book["title"] for book in api.things.iterate(".books", "year > 5")], api.things.first(".books"))
with pool.transaction(rows_as=Login) as cursor:
    print(cursor.execute("select name").fetchone())
for login in pool.iterate("select name", size=10, rows_as=Login):
    print(login.name)
with pool.connect() as connection:
    print(connection.cursor().fetchall(), pool.engine().dialect.name, api.db.max + 1)

# ThingsDB alone


class Chat(Room):
    @event("said")
    def on_said(self, text: str) -> None:
        print(text, self.client.has_user("ada"))

    def tell(self, text: str) -> None:
        self.emit("said", text, peers_only=True)


client = Client()
client.connect_pool(["localhost", ("localhost", 9201)], "admin", "pass")
chat = Chat(".chat.id();", scope="//stuff")
chat.join(client)
for name, arguments in chat.events(timeout=10):
    print(name.upper(), arguments[0])
print(client.lazy().users_info()[0]["name"], force(client.lazy().query("1 + 1")) + 1)
print(api.lazy().things.has_user("ada"), api.async_().things.time_zones_info().get()[0].upper())
with client.async_() as queries:
    running = queries.query("2 + 2")
print(running.get(timeout=5), [room.scope for room in client.get_rooms()])
for name, arguments in api.room("gales", "//stuff").events(10, where=mem.wind > 30):
    print(name.upper(), arguments[0])
with api.room(Chat, ".chat.id();") as joined:
    joined.tell("hello")
    joined.on("failed", report)(ValueError("in a row"))


@joined.on("gale", where="wind > 30")
def on_gale(gale: dict[str, float]) -> None:
    print(gale["wind"])


on_gale({"wind": 41.4})
print(force(api.lazy().room("gales").emit("gale", 1)), api.async_().room(Chat, "gales").leave().get())
print(force(chat.lazy().emit("said", "hello")), chat.lazy().tell("hello"), chat.async_().leave().get())

# Time series alone

btrdb = connect("localhost:4410", apikey="key")
stream = btrdb.create(uuid4(), "sensors/jfk", {"name": "temp"})
print(
    stream.insert([(0, 1.5)]) + 1, stream.values(0, 10).times.tolist(), stream.values(0, 10)[0][0].value + 1
)
print(stream.windows(0, 10, 5).counts.sum(), [point.mean for point, _ in stream.aligned_windows(0, 10, 3)])
print([len(part) for part in stream.values_iter(0, 10)], btrdb.list_collections()[0].upper())
streams = btrdb.streams_in_collection("sensors").filter(name="temp")
print(streams.raw_values(0, 10)[0].values, streams[0].name.upper(), streams.count() + 1, streams[1:].rows())
quick = api.lazy().stream.stream_from_uuid(stream.uuid)
print(
    len(quick.values(0, 10)),
    quick.count() + 1,
    force(quick.windows(0, 10, 5)).counts,
    quick.insert([(1, 2.0)]) + 1,
)
print(force(api.lazy().stream.create(uuid4(), "a")).name, api.lazy().stream.list_collections()[0].upper())
print(api.async_().stream.stream_from_uuid(stream.uuid).count().get() + 1, api.stream.concurrency_limit + 1)

# Binary records alone

channel = Channel("localhost", 2025, StructPayloadType[float]("<d"), timeout=5.0)
print(channel.connect().is_ok(), channel.put([Record(Key(1, 2, 3, 4), 39.02)]).raise_for_status().skipped + 1)
answer = channel.get(Key.min(), Key.max())
print(answer.acq + 1, [record.value + record.key.cap for record in answer.data], len(answer.data))
if isinstance(answer.data, RecordBatch):
    print(
        answer.data.cap.tolist(), answer.data["payload"].sum(), answer.data[0].value, answer.data[1:].payload
    )
for item in channel.get_iter(Key.min(), Key.max()):
    print(item.status if isinstance(item, ResponseAcq) else item.value + 1)
for batch in channel.follow(Key.min(), Key.max(), every=60):
    print(len(batch))
print(channel.get_stream(Key.min(), Key.max(), lambda records: print(len(records))).acq + 1)
later = channel.lazy().get(Key.min(), Key.max())
print(force(later).data, channel.async_().get_acq(Key.min(), Key.max()).get().acq + 1)
quick_channel = api.lazy().record(BytesPayloadType())
print(force(quick_channel.put([Record(Key(1, 2, 3, 4), b"")])).status, api.record.address()[1] + 1)
print(
    [each.value.hex() for each in api.record(BytesPayloadType(), strict=True).get(Key.min(), Key.max()).data]
)

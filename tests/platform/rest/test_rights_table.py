"""Every resource, every verb, every kind of token: what is allowed, and that nothing else has an effect.

NEEDS says which permissions a verb takes at the place of a document; CALLERS says which of them each kind of
caller has at /acme/in. A call is allowed if the caller has them and the place is inside. Whatever is refused
must leave the database as it was, and no reply may hold a word that is only found outside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql

from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.resources.access import expiry
from flowthings_like.platform.resources.base import registry
from flowthings_like.platform.store.schema import drops, resources

from .harness import Client, Reply, client_of

pytestmark = pytest.mark.once

ALL = frozenset({"read", "write", "dropRead", "dropWrite", "administer"})
MASTER = frozenset({"master"})
"""For what only the account's master token may do."""
NEVER = frozenset({"never"})
"""For what nobody may do."""
NONE: frozenset[str] = frozenset()
"""For what every token of the account may do."""

SECRET, PRIVATE = "Rumpelstiltskin", "Rapunzel"
"""What is only found outside, and what only the account's own tokens may read."""
IN, OUT = "/acme/in", "/acme/out"


def of(text: str) -> frozenset[str]:
    return frozenset(text.split())


OBJECT = {
    "create": of("write"),
    "read": of("read"),
    "find": of("read"),
    "read_many": of("read"),
    "update": of("write"),
    "update_many": of("write"),
    "set_member": of("write"),
    "delete": of("write"),
}
TRACK = of("write dropRead dropWrite")
FEEDS = {name: of("write dropWrite") for name in ("create", "update", "update_many", "set_member")}
NEVER_CHANGED = {"update": NEVER, "update_many": NEVER, "set_member": NEVER}
FOR_MASTER = dict.fromkeys(OBJECT, MASTER)
NEEDS: dict[str, dict[str, frozenset[str]]] = {
    "flow": OBJECT,
    "track": {**OBJECT, "create": TRACK, "update": TRACK, "update_many": TRACK, "set_member": TRACK},
    "api-task": {**OBJECT, **FEEDS, "run": of("write")},
    "rss": {**OBJECT, **FEEDS, "run": of("write")},
    "mqtt": {**OBJECT, **FEEDS},
    "device": {**OBJECT, "create": of("administer")},
    "token": {**OBJECT, **NEVER_CHANGED, "create": of("administer")},
    "share": {**OBJECT, **NEVER_CHANGED, "create": of("administer")},
    "group": FOR_MASTER,
    "identity": {**FOR_MASTER, "create": NEVER, "delete": NEVER},
}
DROP_NEEDS = {
    "create": of("dropWrite"),
    "create_many": of("dropWrite"),
    "create_by_path": of("dropWrite"),
    "read": of("dropRead"),
    "read_many": of("dropRead"),
    "find": of("dropRead"),
    "find_by_path": of("dropRead"),
    "find_in_path": of("dropRead"),
    "multi_find": of("dropRead"),
    "explain": of("dropRead"),
    "aggregate": of("dropRead"),
    "update": of("dropWrite"),
    "update_many": of("dropWrite"),
    "set_member": of("dropWrite"),
    "delete": of("dropWrite"),
    "delete_all": of("dropWrite"),
    "flowDropAdded": of("read"),
    "flowTracked": of("read"),
    "trackHit": of("read"),
    "trackPass": of("read"),
    "dropCreatedBy": MASTER,
    "apiCallByIdentity": MASTER,
}


@dataclass
class Caller:
    """One kind of caller: what it may do at and beneath /acme/in.

    Attributes:
        client: makes its calls.
        permissions: that it has; MASTER for all, everywhere.
        is_dead: whether all its calls are refused.
        token: id of its own token, None for a master token.
        is_guest: whether it belongs to another account.
    """

    client: Client
    permissions: frozenset[str]
    is_dead: bool = False
    token: str | None = None
    is_guest: bool = False

    def may(self, needs: frozenset[str], is_inside: bool) -> bool:
        if self.is_dead or needs is NEVER:
            return False
        if self.permissions is MASTER:
            return True
        return is_inside and needs <= (ALL if "administer" in self.permissions else self.permissions)


class World:
    """A platform with an account, another one, and a way to make documents inside and outside."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.master = client_of(platform)
        platform.accounts.ensure("other")
        self.other = self.master.as_(platform.accounts.new_master("other"))
        self.me = self.master.get("/identity").ok()[0]["id"]
        self.theirs = self.other.as_(self.other.token, "other").get("/identity").ok()[0]["id"]
        self.master.put(f"/identity/{self.me}", {"email": f"{PRIVATE}@example.com"}).ok()
        self.nobody = platform.accounts.ensure("nobody")
        self._numbers = count()
        for place in (IN, OUT):
            self.flow(place)

    def flow(self, path: str) -> Any:
        return self.master.post("/flow", {"path": path}).ok(201)

    def new_path(self, place: str) -> str:
        """A path that is not taken. Outside it holds the secret."""
        return f"{place}/{SECRET if place == OUT else 'n'}{next(self._numbers)}"

    def body(self, resource: str, place: str) -> dict[str, Any]:
        """A document that can be created at a new path."""
        path = self.new_path(place)
        if resource in ("track", "api-task", "rss", "mqtt"):
            self.flow(path)
            self.flow(f"{path}/to")
        bodies: dict[str, dict[str, Any]] = {
            "flow": {"path": path},
            "track": {"source": path, "destination": f"{path}/to"},
            "api-task": {"destination": path, "source": {"http": {"uri": "https://example.com/"}}},
            "rss": {"destination": path, "url": "https://example.com/feed"},
            "mqtt": {"destination": path, "uri": "tcp://broker.example.com:1883", "topic": "a"},
            "device": {"path": path},
            "token": {"paths": {path: {"dropRead": True}}},
            "share": {"paths": {path: {"dropRead": True}}, "issuedTo": self.nobody},
            "group": {"memberIds": [self.theirs]},
            "identity": {"name": "second"},
        }
        if resource in ("api-task", "rss", "mqtt"):
            bodies[resource]["disabled"] = True  # nothing is to be fetched, and nothing to change meanwhile
        if place == OUT and resource != "identity":
            bodies[resource]["description"] = SECRET
        return bodies[resource]

    def made(self, resource: str, place: str) -> Any:
        """A new document, made by the master."""
        if resource == "identity":
            return self.master.get(f"/identity/{self.me}").ok()
        return self.master.post(f"/{resource}", self.body(resource, place)).ok(201)

    def contents(self) -> Any:
        """Everything that callers can change, as it is stored."""

        def work(connection: sql.Connection) -> Any:
            return [
                sorted(
                    tuple(map(str, row))
                    for row in connection.execute(sql.select(sql.text("*")).select_from(table))
                )
                for table in (resources, drops)
            ]

        return self.platform.store.read(work)


def by_token(**permissions: bool) -> Callable[[World], Caller]:
    def make(world: World) -> Caller:
        made = world.master.post("/token", {"paths": {IN: permissions}}).ok(201)
        given = frozenset(permissions) | {"read"}
        return Caller(world.master.as_(made["tokenString"]), given, token=made["id"])

    return make


def by_share(*, through_group: bool = False, **permissions: bool) -> Callable[[World], Caller]:
    def make(world: World) -> Caller:
        to = world.theirs
        if through_group:
            to = world.master.post("/group", {"memberIds": [to]}).ok(201)["id"]
        world.master.post("/share", {"issuedTo": to, "paths": {IN: permissions}}).ok(201)
        return Caller(world.other, frozenset(permissions), is_guest=True)

    return make


def master(world: World) -> Caller:
    return Caller(world.master, MASTER)


def issued_master(world: World) -> Caller:
    return Caller(world.master.as_(world.platform.accounts.new_master("acme")), MASTER)


def device(world: World) -> Caller:
    made = world.master.post("/device", {"path": IN}).ok(201)
    return Caller(world.master.as_(made["tokenString"]), of("read dropRead dropWrite"), token=made["tokenId"])


def deleted(world: World) -> Caller:
    caller = by_token(administer=True)(world)
    caller.client.get("/flow").ok()
    world.master.delete(f"/token/{caller.token}").ok()
    return Caller(caller.client, NONE, is_dead=True)


def expired(world: World) -> Caller:
    made = world.master.post("/token", {"paths": {IN: {"administer": True}}, "duration": 1}).ok(201)
    while expiry.remaining(made):
        pass
    return Caller(world.master.as_(made["tokenString"]), NONE, is_dead=True)


def of_deleted_device(world: World) -> Caller:
    made = world.master.post("/device", {"path": IN}).ok(201)
    world.master.delete(f"/device/{made['id']}").ok()
    return Caller(world.master.as_(made["tokenString"]), NONE, is_dead=True)


def after_share(world: World) -> Caller:
    share = {"issuedTo": world.theirs, "paths": {IN: {"administer": True}}}
    made = world.master.post("/share", share).ok(201)
    world.other.get("/flow").ok()
    world.master.delete(f"/share/{made['id']}").ok()
    return Caller(world.other, NONE, is_dead=True)


def token_of_guest(world: World) -> Caller:
    """A token that the holder of a share has issued."""
    guest = by_share(administer=True)(world)
    made = guest.client.post("/token", {"paths": {IN: {"dropRead": True, "dropWrite": True}}}).ok(201)
    client = world.master.as_(made["tokenString"])
    return Caller(client, of("read dropRead dropWrite"), token=made["id"], is_guest=True)


def token_after_share(world: World) -> Caller:
    """A token that the holder of a share has issued, after the share's end."""
    share = {"issuedTo": world.theirs, "paths": {IN: {"administer": True}}}
    made = world.master.post("/share", share).ok(201)
    token = world.other.post("/token", {"paths": {IN: {"administer": True}}}).ok(201)
    world.master.delete(f"/share/{made['id']}").ok()
    return Caller(world.master.as_(token["tokenString"]), NONE, is_dead=True)


CALLERS: dict[str, Callable[[World], Caller]] = {
    "the account itself": master,
    "master": issued_master,
    "token: read": by_token(read=True),
    "token: dropRead": by_token(dropRead=True),
    "token: dropWrite": by_token(dropWrite=True),
    "token: dropRead, dropWrite": by_token(dropRead=True, dropWrite=True),
    "token: administer": by_token(administer=True),
    "device": device,
    "share: read": by_share(read=True),
    "share: write": by_share(write=True),
    "share: read, write": by_share(read=True, write=True),
    "share: dropRead": by_share(dropRead=True),
    "share: dropWrite": by_share(dropWrite=True),
    "share: administer": by_share(administer=True),
    "group: read, dropRead": by_share(through_group=True, read=True, dropRead=True),
    "group: administer": by_share(through_group=True, administer=True),
    "token of a guest": token_of_guest,
    "deleted": deleted,
    "expired": expired,
    "token of a deleted device": of_deleted_device,
    "after the share's end": after_share,
    "token of a guest after the share's end": token_after_share,
    "nothing shared": lambda world: Caller(world.other, NONE, is_dead=True),
    "unknown": lambda world: Caller(world.master.as_("x" * 28), NONE, is_dead=True),
    "no token": lambda world: Caller(world.master.as_(None), NONE, is_dead=True),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_platform(tmp_path / "data", "acme") as platform:
        yield World(platform)


def test_the_table_is_complete() -> None:
    assert NEEDS.keys() == registry.resources().keys()
    assert registry.statistics().keys() <= DROP_NEEDS.keys()


def call(world: World, caller: Caller, resource: str, verb: str, place: str) -> tuple[Reply, Any]:
    """Make the call. Returns the reply, and the document that it concerns."""
    if verb == "create":
        body = world.body(resource, place)
        return caller.client.post(f"/{resource}", body), None
    document = world.made(resource, place)
    where, changes = f"/{resource}/{document['id']}", {"displayName": "new"}
    requests: dict[str, tuple[str, str, Any]] = {
        "read": ("GET", f"{where}?refs=1", None),
        "find": ("GET", f"/{resource}?limit=1000&refs=1", None),
        "read_many": ("MGET", f"/{resource}?refs=1", [document["id"]]),
        "update": ("PUT", where, changes),
        "update_many": ("MPUT", f"/{resource}", {document["id"]: changes}),
        "set_member": ("PUT", f"{where}/displayName", "new"),
        "delete": ("DELETE", where, None),
        "run": ("POST", f"/{resource}/run", {"id": document["id"]}),
    }
    before = world.contents()
    reply = caller.client(*requests[verb])
    if not (200 <= reply.status < 300):
        assert world.contents() == before
    return reply, document


@pytest.mark.parametrize("resource", NEEDS)
@pytest.mark.parametrize("kind", CALLERS)
def test_objects(world: World, kind: str, resource: str) -> None:
    caller = CALLERS[kind](world)
    for verb, needs in NEEDS[resource].items():
        for place in (IN, OUT):
            reply, document = call(world, caller, resource, verb, place)
            is_allowed = caller.may(needs, place == IN)
            said = f"{kind}: {verb} {resource} at {place}: {reply.content!r}"
            own = caller.permissions is not MASTER and not caller.is_guest and resource == "identity"
            if caller.is_dead:
                assert reply.status in (401, 403), said
            elif own and verb in ("read", "find", "read_many"):
                assert reply.status == 200, said  # a token reads the identity of its account
                continue
            elif verb in ("find", "read_many"):
                found = reply.ok()
                ids = set(found) if verb == "read_many" else {one["id"] for one in found}
                assert (document["id"] in ids) == is_allowed, said
            elif is_allowed and verb == "run":
                assert "is disabled" in reply.error, said
            elif is_allowed:
                assert reply.status in (200, 201), said
            else:
                assert reply.status in ((400, 403, 404) if needs is NEVER else (403, 404)), said
            if caller.permissions is not MASTER and verb != "create":
                assert SECRET not in reply.content.decode(), said
            if caller.is_guest or caller.is_dead:
                assert PRIVATE not in reply.content.decode(), said


def call_drop(world: World, caller: Caller, verb: str, place: str) -> Reply:
    path = world.new_path(place)
    flow = world.flow(path)
    world.flow(f"{path}/to")
    track = world.master.post("/track", {"source": path, "destination": f"{path}/to"}).ok(201)
    model = {"elems": {"word": SECRET, "n": 1}, "fhash": "h"}
    drop = world.master.post(f"/drop/{flow['id']}", model).ok(201)
    where, quoted = f"/drop/{flow['id']}", path.replace("/", "%2F")
    one = f"{where}/{drop['id']}"
    changes = {"location": {"lat": 1, "lon": 2}}
    requests: dict[str, tuple[str, str, Any]] = {
        "create": ("POST", where, {"elems": {"n": 2}}),
        "create_many": ("POST", where, [{"elems": {"n": 2}}, {"elems": {"n": 3}}]),
        "create_by_path": ("POST", "/drop", {"path": path, "elems": {"n": 2}}),
        "read": ("GET", f"{one}?refs=1", None),
        "read_many": ("MGET", f"{where}?refs=1", [drop["id"]]),
        "find": ("GET", f"{where}?refs=1", None),
        "find_by_path": ("GET", f"/drop?path={path}", None),
        "find_in_path": ("GET", f"/drop/{quoted}", None),
        "multi_find": ("MGET", "/drop", [{"flowId": flow["id"]}]),
        "explain": ("GET", f"{where}?explain=1", None),
        "aggregate": ("POST", f"{where}/aggregate", {"output": ["$all:word", "$count"]}),
        "update": ("PUT", one, changes),
        "update_many": ("MPUT", where, {drop["id"]: changes}),
        "set_member": ("PUT", f"{one}/elems.n", 5),
        "delete": ("DELETE", one, None),
        "delete_all": ("DELETE", where, None),
        "flowDropAdded": ("GET", f"/statistics/flowDropAdded/{flow['id']}", None),
        "flowTracked": ("GET", f"/statistics/flowTracked/{flow['id']}", None),
        "trackHit": ("GET", f"/statistics/trackHit/{track['id']}", None),
        "trackPass": ("GET", f"/statistics/trackPass/{track['id']}", None),
        "dropCreatedBy": ("GET", f"/statistics/dropCreatedBy/{world.me}", None),
        "apiCallByIdentity": ("GET", f"/statistics/apiCallByIdentity/{world.me}", None),
    }
    before = world.contents()
    reply = caller.client(*requests[verb])
    if not (200 <= reply.status < 300):
        assert world.contents() == before
    return reply


@pytest.mark.parametrize("kind", CALLERS)
def test_drops_and_statistics(world: World, kind: str) -> None:
    caller = CALLERS[kind](world)
    for verb, needs in DROP_NEEDS.items():
        for place in (IN, OUT):
            reply = call_drop(world, caller, verb, place)
            said = f"{kind}: {verb} at {place}: {reply.content!r}"
            if caller.may(needs, place == IN):
                assert reply.status in (200, 201), said
            else:
                assert reply.status in ((401, 403) if caller.is_dead else (403, 404)), said
            if not caller.may(of("dropRead"), place == IN):
                shown = reply.content.decode()
                if verb.endswith("_path"):  # an error repeats the path that was named
                    shown = re.sub(rf"{OUT}/\w+", "", shown)
                assert SECRET not in shown, said


@pytest.mark.parametrize("kind", CALLERS)
def test_a_path_outside_is_refused_in_the_same_words_whether_or_not_a_flow_is_there(
    world: World, kind: str
) -> None:
    caller = CALLERS[kind](world)
    if caller.permissions is MASTER:
        return
    there, absent = world.new_path(OUT), world.new_path(OUT)
    world.flow(there)
    for method, path, body in (
        ("GET", "/drop?path={}", None),
        ("GET", "/drop/{quoted}", None),
        ("DELETE", "/drop/{quoted}", None),
        ("POST", "/drop/{quoted}", {"elems": {"a": 1}}),
        ("POST", "/drop/{quoted}/aggregate", {"output": ["$count"]}),
        ("MGET", "/drop/{quoted}", ["d" + "0" * 24]),
    ):
        replies = [
            caller.client(method, path.format(name, quoted=name.replace("/", "%2F")), body)
            for name in (there, absent)
        ]
        assert replies[0].status == replies[1].status, (method, path, replies)
        assert replies[0].error.replace(there, absent) == replies[1].error
    replies = [caller.client("MGET", "/drop", [{"flowId": name}]) for name in (there, absent)]
    assert replies[0].error.replace(there, absent) == replies[1].error
    if "administer" in caller.permissions:
        tracks = [{"source": name, "destination": f"{IN}"} for name in (there, absent)]
        replies = [caller.client.post("/track", track) for track in tracks]
        assert replies[0].error.replace(there, absent) == replies[1].error

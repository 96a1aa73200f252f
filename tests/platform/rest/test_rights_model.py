"""No sequence of calls that are allowed leads out of a token's paths.

The master writes drops everywhere. Callers with restricted tokens, and a guest to whom the same paths
are shared, read, write, count, simulate, follow, make tracks with and without scripts, run tasks, push plans,
and create devices, tokens and shares of their own. After each call holds: nothing that the master wrote where
the first token may not read has come to any of them, or to the server that their tasks fetch from, and where
it may not write, nothing has changed but by the master.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
import sqlalchemy as sql
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from flowthings_like.platform.embedded import open_platform
from flowthings_like.platform.resources.access import account_paths
from flowthings_like.platform.store.schema import counters, drops, resources
from flowthings_like.platform.tasks.addresses import AddressRules
from flowthings_like.platform.tasks.fetch import Fetcher
from flowthings_like.platform.tasks.runner import TaskRunner
from tests.platform.tasks.web import Page, Web, serving

from .harness import Client, Reply, client_of

pytestmark = pytest.mark.once

PATHS = ("/acme/a", "/acme/a/b", "/acme/a/b/c", "/acme/ab", "/acme/d", "/acme/d/e")
PERMISSIONS = ("administer", "dropRead", "dropWrite")

path = st.sampled_from(PATHS)
target = st.sampled_from(PATHS[::-1])  # the first of a list is drawn more often: from inside to outside
some_permissions = st.sets(st.sampled_from(PERMISSIONS), min_size=1).map(sorted)
granted = st.dictionaries(
    st.sampled_from(("/acme/a", "/acme/a/b", "/acme/d")), some_permissions, min_size=1, max_size=2
)
kinds = st.sampled_from(("flow", "track", "device", "token", "share", "api-task", "group", "identity"))
number = st.integers(0, 10**6)  # picks one of what there is
SCRIPTS = (
    "drop => ({'%s': drop})",
    "drop => ({elems: {taken: JSON.stringify(Flow.Drop.find('%s'))}})",
    "drop => ({elems: {taken: JSON.stringify(Flow.Drop.aggregate('%s', {output: ['$all:word']}))}})",
    "drop => ({elems: {taken: JSON.stringify([Flow.Flow.get('%s'), Flow.Flow.find(), Flow.Track.find()])}})",
)
TASKS = (
    "new Task({request: {uri: 'WEB'}, callback: () => ({elems: {taken: JSON.stringify(FOUND)}})})",
    "new Task({request: () => ({uri: 'WEB?' + escape(JSON.stringify(FOUND))}), callback: () => null})",
)
FOUND = (
    "Flow.Drop.find('%s')",
    "Flow.Drop.aggregate('%s', {output: ['$all:word']})",
    "[Flow.Flow.get('%s'), Flow.Flow.find(), Flow.Track.find()]",
)


class Escape(RuleBasedStateMachine):
    """A platform, its master, and those who want to get out of their paths."""

    web: Web

    @initialize(paths=granted)
    def start(self, paths: dict[str, list[str]]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.platform = open_platform(self.folder.name, "acme")
        self.master = client_of(self.platform)
        self.granted = paths
        self.count = 0
        self.flows = {name: self.master.flow(name.removeprefix("/acme/"))["id"] for name in PATHS}
        body = {"paths": {name: dict.fromkeys(names, True) for name, names in paths.items()}}
        made = self.master.post("/token", body).ok(201)
        self.callers = [self.master.as_(made["tokenString"]), self._guest(body)]
        self.channels = [self._channel(caller) for caller in self.callers]
        self.runner = TaskRunner(self.platform.store, Fetcher(AddressRules(["127.0.0.1"])))
        self.web.asked.clear()
        self.drops: list[tuple[str, str]] = []
        self.objects: list[tuple[str, str]] = []
        for name in PATHS:
            self.write(name)
        self.expected = self._unwritable()

    def _guest(self, share: Any) -> Client:
        """The account `other`, to which the same paths are shared."""
        self.platform.accounts.ensure("other")
        guest = self.master.as_(self.platform.accounts.new_master("other"))
        (identity,) = guest.as_(guest.token, "other").get("/identity").ok()
        self.master.post("/share", {"issuedTo": identity["id"], **share}).ok(201)
        return guest

    def _may(self, path: str, permission: str) -> bool:
        return any(
            account_paths.covers(prefix, path) and (permission in names or "administer" in names)
            for prefix, names in self.granted.items()
        )

    def _channel(self, caller: Client) -> Any:
        live = self.platform.live
        return live.channel(live.new_session_id(caller.token, "acme"))

    def _unwritable(self) -> Any:
        """What is stored where the first token may not write: flows, drops, and the counts of these."""

        def work(connection: sql.Connection) -> Any:
            flows = {id: name for name, id in self.flows.items() if not self._may(name, "dropWrite")}
            objects = [name for name in PATHS if not self._may(name, "administer")]
            return (
                sorted(
                    (row.id, row.elems, row.location)
                    for row in connection.execute(
                        sql.select(drops.c["id", "elems", "location"]).where(drops.c.flow_id.in_(flows))
                    )
                ),
                sorted(
                    (row.id, row.body)
                    for row in connection.execute(sql.select(resources).where(resources.c.path.in_(objects)))
                    if row.kind == "flow"
                ),
                sorted(
                    (row.stat, row.object_id, row.count)
                    for row in connection.execute(sql.select(counters).where(counters.c.object_id.in_(flows)))
                ),
            )

        return self.platform.store.read(work)

    def _check(self, text: str) -> None:
        """What a caller has received holds no word from where the first token may not read."""
        for name in PATHS:
            if not self._may(name, "dropRead"):
                assert f"word-of-{name}-" not in text, text

    def call(self, who: int, method: str, place: str, body: Any = None) -> Reply:
        reply = self.callers[who % len(self.callers)](method, place, body)
        assert reply.status < 500, reply.content
        self._check(reply.content.decode())
        if reply.status in (200, 201):
            self._remember(place, reply.body)
        return reply

    def _remember(self, place: str, body: Any) -> None:
        kind = place.split("?")[0].split("/")[1]
        for one in body if isinstance(body, list) else [body]:
            if isinstance(one, dict) and "flowId" in one:
                self.drops.append((one["flowId"], one["id"]))
            elif isinstance(one, dict) and "id" in one and isinstance(one["id"], str):
                self.objects.append((kind, one["id"]))

    # The master.

    @rule(name=path)
    def write(self, name: str) -> None:
        self.count += 1
        elems = {"word": f"word-of-{name}-{self.count}", "n": self.count}
        model = {"elems": elems, "fhash": str(self.count % 3)}
        made = self.master.post(f"/drop/{self.flows[name]}", model).ok(201)
        self.drops.append((made["flowId"], made["id"]))
        self.expected = self._unwritable()

    # The others, with drops.

    @rule(who=number, name=path, by_id=st.booleans(), fhash=st.sampled_from(("0", "1", None)))
    def create(self, who: int, name: str, by_id: bool, fhash: str | None) -> None:
        where = self.flows[name] if by_id else name.replace("/", "%2F")
        model = {"elems": {"mine": 1}, **({} if fhash is None else {"fhash": fhash})}
        self.call(who, "POST", f"/drop/{where}", model)

    @rule(who=number, which=number, verb=st.sampled_from(("GET", "PUT", "MPUT", "MGET", "DELETE", "member")))
    def use_drop(self, who: int, which: int, verb: str) -> None:
        flow, drop = self.drops[which % len(self.drops)]
        changes = {"location": {"lat": 1, "lon": 2}}
        if verb == "MGET":
            self.call(who, "MGET", f"/drop/{flow}?refs=1", [drop])
        elif verb == "MPUT":
            self.call(who, "MPUT", f"/drop/{flow}?refs=1", {drop: changes})
        elif verb == "member":
            self.call(who, "PUT", f"/drop/{flow}/{drop}/elems.n", 5)
        else:
            self.call(who, verb, f"/drop/{flow}/{drop}?refs=1", changes if verb == "PUT" else None)

    @rule(who=number, name=path, how=st.sampled_from(("find", "path", "multi", "each", "explain", "all")))
    def search(self, who: int, name: str, how: str) -> None:
        flow = self.flows[name]
        asked = [{"flowId": each} for each in self.flows.values()]
        requests: dict[str, tuple[str, str, Any]] = {
            "find": ("GET", f"/drop/{flow}?refs=1&filter=EXISTS+word", None),
            "path": ("GET", f"/drop?path={name}", None),
            "multi": ("MGET", "/drop", [{"flowId": flow}]),
            "each": ("MGET", "/drop?each=1", asked),
            "explain": ("GET", f"/drop/{flow}?explain=1&filter=n+>+1".replace(">", "%3E"), None),
            "all": ("POST", f"/drop/{flow}/aggregate", {"output": ["$all:word", "$count"]}),
        }
        reply = self.call(who, *requests[how])
        if how == "all" and reply.status == 200:
            assert self._may(name, "dropRead")

    @rule(who=number, name=path, stat=st.sampled_from(("flowDropAdded", "flowTracked")))
    def count_drops(self, who: int, name: str, stat: str) -> None:
        reply = self.call(who, "GET", f"/statistics/{stat}/{self.flows[name]}")
        reads = any(account_paths.covers(prefix, name) for prefix in self.granted)
        assert (reply.status == 200) <= reads  # any right brings the right to read the flow

    # With objects.

    @rule(who=number, kind=kinds)
    def list_objects(self, who: int, kind: str) -> None:
        self.call(who, "GET", f"/{kind}?refs=1&limit=50")

    @rule(who=number, source=path, destination=path, js=st.sampled_from((None, *SCRIPTS)), at=target)
    def make_track(self, who: int, source: str, destination: str, js: str | None, at: str) -> None:
        track = {"source": source, "destination": destination}
        if js is not None:
            track["js"] = js % at
        if self.call(who, "POST", "/track", track).status == 201:
            self.create(who, source, True, None)

    @rule(who=number, source=path, to=target)
    def lead_out(self, who: int, source: str, to: str) -> None:
        track = {"source": source, "js": SCRIPTS[0] % to}
        if self.call(who, "POST", "/track", track).status == 201:
            self.create(who, source, True, None)

    @rule(who=number, js=st.sampled_from(SCRIPTS), at=target)
    def simulate(self, who: int, js: str, at: str) -> None:
        self.call(who, "POST", "/track/simulate", {"drop": {"elems": {"a": 1}}, "js": js % at})

    @rule(who=number, at=target, to=path, js=st.sampled_from(TASKS), found=st.sampled_from(FOUND))
    def run_task(self, who: int, at: str, to: str, js: str, found: str) -> None:
        """Make a task and run it, in the place of the platform's own schedule."""
        script = js.replace("FOUND", found % at).replace("WEB", self.web.url("/"))
        simulated = {"js": script, "text": "{}"}
        self.call(who, "POST", "/api-task/simulate", simulated)
        made = self.call(who, "POST", "/api-task", {"destination": to, "js": script})
        if made.status == 201:
            self.runner.run(made.body["id"])
            self.call(who, "GET", f"/api-task/{made.body['id']}")

    @rule(who=number, at=path, permissions=some_permissions)
    def share_on(self, who: int, at: str, permissions: list[str]) -> None:
        """Share a path with the guest, who has then more than before only if the sharer may do that."""
        identity = self.callers[1].as_(self.callers[1].token, "other").get("/identity").ok()[0]["id"]
        body = {"issuedTo": identity, "paths": {at: dict.fromkeys(permissions, True)}}
        self.call(who, "POST", "/share", body)

    @rule(
        who=number, which=number, member=st.sampled_from(("source", "destination", "filter", "path")), to=path
    )
    def change(self, who: int, which: int, member: str, to: str) -> None:
        if self.objects:
            kind, id = self.objects[which % len(self.objects)]
            self.call(who, "PUT", f"/{kind}/{id}", {member: "" if member == "filter" else to})

    @rule(who=number, name=path, capacity=st.integers(1, 3), delete=st.booleans())
    def change_flow(self, who: int, name: str, capacity: int, delete: bool) -> None:
        if delete and self._may(name, "administer"):
            return  # it may: then the others would have nothing left to reach for
        place = f"/flow/{self.flows[name]}"
        self.call(who, *(("DELETE", place, None) if delete else ("PUT", place, {"capacity": capacity})))

    @rule(who=number, base=path, listed=path, delete=st.booleans())
    def plan(self, who: int, base: str, listed: str, delete: bool) -> None:
        self.call(who, "GET", "/plan?path=/acme")
        body = {
            "path": base,
            "flows": [{"path": listed, "capacity": 900}],
            "delete": delete,
            "dryRun": delete,
        }
        self.call(who, "POST", "/plan", body)

    @precondition(lambda self: len(self.callers) < 6)
    @rule(who=number, at=path, permissions=some_permissions, by_device=st.booleans())
    def hand_on(self, who: int, at: str, permissions: list[str], by_device: bool) -> None:
        kind, body = "token", {"paths": {at: dict.fromkeys(permissions, True)}}
        if by_device:
            kind, body = "device", {"path": at}
        reply = self.call(who, "POST", f"/{kind}", body)
        if reply.status == 201:
            caller = self.master.as_(reply.body["tokenString"])
            self.callers.append(caller)
            self.channels.append(self._channel(caller))

    # Live.

    @rule(who=number, name=path, start=st.booleans())
    def subscribe(self, who: int, name: str, start: bool) -> None:
        message = {"msgId": 1, "object": "drop", "type": "subscribe", "path": name}
        if start:
            message["since"] = "start"
        self.send(who, message)

    @rule(who=number, name=path, verb=st.sampled_from(("create", "findmany")))
    def ask(self, who: int, name: str, verb: str) -> None:
        value = {"elems": {"mine": 2}}
        message = {"msgId": 2, "object": "drop", "type": verb, "flowId": self.flows[name], "value": value}
        self.send(who, message)

    def send(self, who: int, message: dict[str, Any]) -> None:
        self.channels[who % len(self.channels)].send(json.dumps(message).encode())

    @invariant()
    def nothing_came_from_outside(self) -> None:
        for channel in getattr(self, "channels", ()):
            for text in channel.receive(0):
                self._check(text.decode())
        for asked in self.web.asked:
            self._check(unquote(asked.path))

    @invariant()
    def nothing_changed_outside(self) -> None:
        if hasattr(self, "expected"):
            assert self._unwritable() == self.expected

    def teardown(self) -> None:
        if not hasattr(self, "channels"):
            return
        try:
            for channel in self.channels:
                for text in channel.receive(0.05):  # what is still on its way
                    self._check(text.decode())
                channel.close()
        finally:
            self.platform.close()
            self.folder.cleanup()


@pytest.fixture(autouse=True)
def web() -> Iterator[None]:
    """The server that tasks fetch from. It is there for all examples."""
    with serving() as Escape.web:
        Escape.web.pages["/"] = Page(b"{}")
        yield


@pytest.mark.parametrize(
    "examples", [10, pytest.param(100, marks=[pytest.mark.exhaustive, pytest.mark.once])]
)
def test_nobody_gets_out(examples: int) -> None:
    options = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(Escape, settings=options)

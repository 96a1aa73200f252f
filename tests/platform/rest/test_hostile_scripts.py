"""`flowthings-like serve` with hostile scripts: whoever does not own them is served all the while."""

from __future__ import annotations

import http.client
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.platform.resources.access.accounts import Accounts
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store

from .served import PATIENCE, Served

pytestmark = pytest.mark.once

HOSTILE = (
    "drop => { for (;;) {} }",
    "drop => { const a = new Array(2e5).fill(0); for (;;) a.indexOf(-1); }",
    "drop => { const all = []; for (;;) all.push(new Array(1000).fill(all.length)); }",
    "drop => { const f = () => f() + f(); return f(); }",
    "drop => /(a+)+$/.test('a'.repeat(99) + 'b')",
    "drop => { let text = 'x'; for (;;) text += text; }",
    "drop => { for (;;) try { Flow.Drop.find('/acme/f0'); } catch (e) {} }",
    "drop => Array(900).fill({elems: {x: 'x'.repeat(1000)}})",
)


class Caller:
    """Makes requests as one account, on a connection of its own."""

    def __init__(self, port: int, account: str, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._account, self._token = account, token

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """The head and body of the answer."""
        raw = None if body is None else json.dumps(body).encode()
        headers = {"X-Auth-Token": self._token}
        self._connection.request(method, f"/v4.0/{self._account}{path}", raw, headers)
        found = json.loads(self._connection.getresponse().read())
        return found["head"], found["body"]

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        head, found = self(method, path, body)
        assert head["ok"], head
        return found

    def close(self) -> None:
        self._connection.close()


def add_account(folder: Path, name: str) -> str:
    """A master token of a new account."""
    with Store(folder) as store:
        accounts = Accounts(store)
        accounts.ensure(name)
        return accounts.new_master(name)


class Ordinary:
    """An account whose track works, and how long its calls take."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.seconds: list[float] = []
        for name in ("in", "out"):
            caller.ok("POST", "/flow", {"path": f"/good/{name}"})
        js = "drop => { drop.elems.n *= 2; return drop; }"
        caller.ok("POST", "/track", {"source": "/good/in", "destination": "/good/out", "js": js})

    def close(self) -> None:
        self._caller.close()

    def use(self) -> None:
        """Write a drop that the track sees, and read what became of it."""
        n = len(self.seconds)
        started = time.monotonic()
        self._caller.ok("POST", "/drop", {"path": "/good/in", "elems": {"n": n}})
        written = time.monotonic()
        (found,) = self._caller.ok("GET", "/drop?path=/good/out&limit=1")
        assert found["elems"] == {"n": 2 * n}
        self.seconds.append(max(written - started, time.monotonic() - written))

    def __repr__(self) -> str:
        ordered = sorted(self.seconds)
        middle, most = ordered[len(ordered) // 2], ordered[len(ordered) * 999 // 1000]
        return (
            f"{len(ordered)} calls, p50 {middle:.4f} s, p99.9 {most:.3f} s, the longest {ordered[-1]:.3f} s"
        )


@pytest.mark.parametrize("count", [24, pytest.param(1000, marks=pytest.mark.long)])
def test_hostile_scripts_cost_their_owner_alone(tmp_path: Path, count: int) -> None:
    tokens = {name: add_account(tmp_path / "war", name) for name in ("good", "acme")}
    peaceful = add_account(tmp_path / "peace", "good")
    with Served(tmp_path / "war") as served, Served(tmp_path / "peace") as other:
        enemy = Caller(served.port, "acme", tokens["acme"])
        for number in range(count):
            enemy.ok("POST", "/flow", {"path": f"/acme/f{number}"})
            js = HOSTILE[number % len(HOSTILE)]
            track = {"source": f"/acme/f{number}", "destination": "/acme/f0", "js": js}
            enemy.ok("POST", "/track", track)
        enemy.close()
        user = Ordinary(Caller(served.port, "good", tokens["good"]))
        # Another user at the same time, of a server without enemies: a machine that is busy with other things
        # is slow there, too.
        lucky = Ordinary(Caller(other.port, "good", peaceful))

        numbers = iter(range(count))
        refused: list[int] = []
        callers = [Caller(served.port, "acme", tokens["acme"]) for _ in range(max(16, count // 4))]
        for (
            caller
        ) in callers:  # they are connected before it begins: opening connections is no script's doing
            caller.ok("GET", "/flow?limit=1")

        def attack(caller: Caller) -> None:
            for number in numbers:
                head, _ = caller("POST", "/drop", {"path": f"/acme/f{number}", "elems": {"n": 1}})
                if not head["ok"]:
                    refused.append(head["status"])
            caller.close()

        enemies = [threading.Thread(target=attack, args=(caller,)) for caller in callers]
        for each in enemies:
            each.start()
        while any(each.is_alive() for each in enemies):
            user.use()
            lucky.use()
            time.sleep(0.01)
        user.close()
        lucky.close()
        assert len(user.seconds) > 20
        assert max(user.seconds) < max(0.5, 4 * max(lucky.seconds)), (user, lucky)
        assert set(refused) <= {429}
        print(f"{count} hostile scripts: {user}; without them {lucky}")

"""An application that uses its API in the master, before uWSGI forks its workers, and in each worker."""

from __future__ import annotations

import os

if os.environ["BACKEND"] == "gevent":
    from gevent import monkey

    monkey.patch_all()

import json
from collections.abc import Callable, Iterable
from typing import Any

from flowthings_like import API, Room, Token

MASTER = os.getpid()
COUNT = ".has('count') || .count = 0; .count += 1; .count;"

api = API(
    Token("acme", os.environ["TOKEN"]),
    host=os.environ["HOST"],
    secure=False,
    things=os.environ["THINGS"],
    timeout=20,
)
flow = api.flow.create({"path": "/acme/counted"})
api.things.set_default_scope("//stuff")
api.things.query(COUNT)
api.drop(flow["id"]).create({"elems": {"pid": os.getpid()}})
room = Room(".has('room') || .room = room(); .room.id();")
room.join(api.things)
lazy = api.lazy()
assert lazy.things.query(COUNT) == 2
assert lazy.flow.read(flow["id"])["path"] == "/acme/counted"


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Make each kind of call once. Returns what was done, or what failed."""
    said: dict[str, Any] = {"pid": os.getpid(), "master": MASTER}
    try:
        said["count"] = api.things.query(COUNT)
        said["lazy"] = lazy.things.query(COUNT) + 0
        said["drop"] = api.drop(flow["id"]).create({"elems": {"pid": os.getpid()}})["id"]
        said["flow"] = str(lazy.flow.read(flow["id"])["path"])
        said["rooms"] = [len(api.things.get_rooms())]
        here = Room(room.id)
        here.join(api.things, wait=30)
        said["rooms"].append(len(api.things.get_rooms()))
        here.leave()
    except Exception as error:
        said["error"] = f"{type(error).__name__}: {error}"
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(said).encode()]

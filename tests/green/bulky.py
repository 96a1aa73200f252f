"""A platform in a dict, whose services have bulk forms: it counts requests, and can be slow or refuse."""

from __future__ import annotations

import copy
import itertools
from contextvars import ContextVar
from typing import Any

from flowthings_like.errors import FlowThingsBadRequest, FlowThingsNotFound, InvalidInput
from flowthings_like.green import detect
from flowthings_like.green.batching.bulk_marker import bulk
from flowthings_like.green.calls.markers import api_factory, chooses, reads

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


class Flows:
    """Resources with an id. The value "bad" is refused by the platform, None before anything is sent."""

    __api_service__ = True
    path = "/flow"

    def __init__(self, api: Platform, path: str = "/flow") -> None:
        self.api = api
        self.path = path
        self.stored: dict[str, dict[str, Any]] = {}
        self.numbers = itertools.count()

    def request(self, kind: str, *asked: Any) -> None:
        """One request begins; it may be made to wait, and may fail."""
        self.api.requests.append((kind, self.path, *asked))
        self.api.tenants.append(tenant.get())
        gate = self.api.gate
        if gate is not None:
            self.api.held += 1
            try:
                assert gate.wait(20)
            finally:
                self.api.held -= 1
        if self.api.delay is not None:
            detect().sleep(self.api.delay)
        self.api.failure(kind, asked)

    @bulk("read_many", key="id", most=10, whole=(403, 404))
    def read(self, id: str, **params: Any) -> Any:
        self.request("read", id)
        if id not in self.stored:
            raise FlowThingsNotFound(f"there is no {id}", status=404)
        value = copy.deepcopy(self.stored[id])
        return (value, params) if params.keys() - {"timeout"} else value

    @reads
    def read_many(self, ids: list[str], **params: Any) -> Any:
        self.request("read_many", *ids)
        assert len(set(ids)) == len(ids)
        return {id: copy.deepcopy(self.stored[id]) for id in ids if id in self.stored}

    @bulk("create_many", most=10, writes=True, whole=(403, 404))
    def create(self, model: Any, **params: Any) -> Any:
        check(model)
        self.request("create", model["value"])
        return self.store(model)

    def create_many(self, models: Any, **params: Any) -> Any:
        for model in models:
            check(model)
        self.request("create_many", *(model["value"] for model in models))
        return [self.store(model) for model in models]

    def store(self, model: Any) -> Any:
        id = model.get("id") or f"{self.path}-{next(self.numbers)}"
        self.stored[id] = {**copy.deepcopy(dict(model)), "id": id}
        return copy.deepcopy(self.stored[id])

    @bulk("update_many", key="model.id", most=10, writes=True)
    def update(self, model: Any, **params: Any) -> Any:
        check(model)
        self.request("update", model["id"])
        return self.change([model])[model["id"]]

    def update_many(self, models: Any, **params: Any) -> Any:
        for model in models:
            check(model)
        self.request("update_many", *(model["id"] for model in models))
        return self.change(models)

    def change(self, models: Any) -> Any:
        for model in models:
            if model["id"] not in self.stored:
                raise FlowThingsNotFound(f"there is no {model['id']}", status=404)
        for model in models:
            self.stored[model["id"]].update(model)
        return {model["id"]: copy.deepcopy(self.stored[model["id"]]) for model in models}

    def delete(self, id: str) -> Any:
        self.request("delete", id)
        if self.stored.pop(id, None) is None:
            raise FlowThingsNotFound(f"there is no {id}", status=404)
        return {}

    @bulk("_find_across", entry="_as_query", most=10, across=True)
    def find_many(self, least: int = 0, **params: Any) -> Any:
        self.request("find_many", least)
        return self.found(least)

    def _as_query(self, least: int = 0, **params: Any) -> Any:
        if params:
            return None
        return self.path, (self.path, int(least))

    def _find_across(self, queries: Any, **params: Any) -> Any:
        self.request("multi_find", *queries)
        return {path: self.api.service(path).found(least) for path, least in queries}

    def found(self, least: int) -> Any:
        return [
            copy.deepcopy(one)
            for one in self.stored.values()
            if isinstance(one["value"], int) and one["value"] >= least
        ]

    @chooses("_verb_for")
    def find(self, *what: Any, **params: Any) -> Any:
        verb, what = self._verb_for(*what)
        return getattr(self, verb)(*what, **params)

    def _verb_for(self, *what: Any) -> Any:
        return ("read" if what and isinstance(what[0], str) else "find_many"), what

    @reads
    def count(self) -> int:
        self.request("count")
        return len(self.stored)


class Drops:
    __api_service__ = True

    def __init__(self, api: Platform) -> None:
        self.api = api

    @api_factory
    def __call__(self, flow: str) -> Flows:
        return self.api.service(f"/drop/{flow}")


class Platform:
    """The api. `gate` holds every request up until it is set; `delay` takes seconds for each."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.tenants: list[str] = []
        self.gate: Any = None
        self.held = 0
        self.delay: float | None = None
        self.failure: Any = lambda kind, asked: None
        self.services: dict[str, Flows] = {}
        self.flow = self.service("/flow")
        self.drop = Drops(self)

    def service(self, path: str) -> Flows:
        return self.services.setdefault(path, Flows(self, path))

    def kinds(self) -> list[str]:
        return [kind for kind, *_ in self.requests]

    def fill(self, *ids: str) -> None:
        for number, id in enumerate(ids):
            self.flow.stored[id] = {"id": id, "value": number, "tags": [id]}


def check(model: Any) -> None:
    if model.get("value", 0) is None:
        raise InvalidInput("value is None")


def refuse(error: Exception, *kinds: str) -> Any:
    """A failure for all requests of these kinds."""

    def failure(kind: str, asked: Any) -> None:
        if kind in kinds:
            raise copy.copy(error)  # the one that is kept must not keep the frames that raised it

    return failure


def refuse_bad(kind: str, asked: Any) -> None:
    """Refuse a request that has something bad in it."""
    if "bad" in asked:
        raise FlowThingsBadRequest("something is bad", status=400)

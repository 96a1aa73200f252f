"""Plans: the flows, tracks and tasks at and beneath a path as one document, to be pulled and pushed.

    {"path": "/acme/weather",
     "flows": [{"path": "/acme/weather/jfk", "capacity": 100}],
     "tracks": [{"source": "/acme/weather/jfk", "destination": "/acme/weather/hot", "filter": "temp > 30"}],
     "tasks": [{"type": "rss", "destination": "/acme/weather/news", "url": "https://example.com/feed"}]}

A plan holds no ids, so that it can be pushed to another platform. A push compares each object with the
stored one of the same name: a flow's name is its path, a track's is its source and destinations, a task's is
its type, flow and address. If several have one name, equal ones are paired first, the others in their order.
What is not stored is created, what differs is changed, and what the plan does not list is left alone or
deleted, as the push says. A push is one transaction: all of it is done, or nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sql

from ..problems import BadRequest, Problem, TooLarge
from ..store.schema import resources as table
from .access import account_paths
from .base import verbs
from .base.resource import SET_BY_PLATFORM, Document, Resource
from .flows import FLOW
from .tasks import API_TASK, MQTT, RSS
from .tracks import TRACK

if TYPE_CHECKING:
    from ..json_schema import Schema
    from .access.rights import Caller
    from .drops.resource_store import ResourceStore

__all__ = ["PLAN", "pull", "push"]

MOST = 10_000
"""Most objects in one plan."""

TASKS = {resource.name: resource for resource in (API_TASK, RSS, MQTT)}
_SECRET = frozenset({"password"})
"""Members that a plan never holds. A push leaves them as they are."""
_FILLED_IN = frozenset({"capacity"})
"""Members that the platform fills in besides a resource's defaults: a plan without them leaves them alone."""
_OPTIONS = frozenset({"dryRun", "delete"})
_LISTS = ("flows", "tracks", "tasks")

PLAN: Schema = {
    "title": "plan",
    "type": "object",
    "properties": {
        "path": account_paths.PREFIX_SCHEMA,
        **{name: {"type": "array", "items": {"type": "object"}} for name in _LISTS},
        **{name: {"type": "boolean"} for name in sorted(_OPTIONS)},
    },
    "required": ["path"],
    "additionalProperties": False,
}
"""What `push` accepts, and what `pull` returns without the options."""


@dataclass(frozen=True)
class _Name:
    """What an object is known by, in a plan and where it is stored."""

    resource: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.resource} {' -> '.join(self.parts)}"


@dataclass
class _Pair:
    """An object of a plan, and the stored one; None where there is none."""

    name: _Name
    resource: Resource
    planned: Document | None
    stored: Document | None

    @property
    def changes(self) -> Document:
        """The members to change, null for those to remove."""
        planned, stored = self.planned or {}, _planned(self.resource, self.stored or {})
        filled_in = {*self.resource.defaults, *_FILLED_IN}
        removed = {name: None for name in stored if name not in planned and name not in filled_in}
        return {**removed, **{n: value for n, value in planned.items() if stored.get(n) != value}}


class _DryRun(Problem):
    """Ends the transaction of a push that is only tried. It carries what would have been done."""

    def __init__(self, outcome: Document) -> None:
        super().__init__("a dry run changes nothing")
        self.outcome = outcome


def pull(store: ResourceStore, caller: Caller, path: str) -> Document:
    """The plan of what lies at and beneath a path, as far as the caller may read it.

    Raises:
        BadRequest: the path is none, or outside the account.
        TooLarge: there is too much for one plan.
    """
    path = account_paths.check_prefix(path, caller.account, "path")
    plan: Document = {"path": path, **{name: [] for name in _LISTS}}
    for pair in store.read(lambda connection: _stored(connection, caller, path)):
        listed = _planned(pair.resource, pair.stored or {})
        if pair.resource.name in TASKS:
            listed = {"type": pair.resource.name, **listed}
        plan[_list_of(pair.resource)].append(listed)
    return plan


def push(store: ResourceStore, caller: Caller, plan: Any) -> Document:
    """Make what is stored as a plan says.

    Args:
        plan: as `pull` gives it, and `dryRun` (true: change nothing) and `delete` (true: delete flows, tracks
            and tasks beneath the path that the plan does not list; a flow's drops go with it).

    Returns:
        {created: [name], changed: [{name, members: {member: [old, new]}}], deleted: [name],
        unchanged: number}, the same for a dry run.

    Raises:
        BadRequest: the plan is wrong; the message says where.
        Forbidden: the caller may not do some of it. Then nothing is done.
    """
    path, wanted, is_dry, deletes = _parsed(caller, plan)
    for pair in wanted:
        with _about(pair):
            pair.resource.before_transaction(store, caller, pair.planned or {})

    def work(connection: sql.Connection) -> Document:
        pairs = _paired(wanted, _stored(connection, caller, path))
        outcome: Document = {"created": [], "changed": [], "deleted": [], "unchanged": 0}
        for pair in pairs:
            with _about(pair):
                _apply(connection, caller, pair, outcome, deletes)
        if is_dry:
            raise _DryRun(outcome)
        return outcome

    try:
        outcome = store.write(work, clears_cache=True)
    except _DryRun as tried:
        return tried.outcome
    for resource in {pair.name.resource: pair.resource for pair in wanted}.values():
        resource.after_update(store)
    return outcome


def _apply(connection: sql.Connection, caller: Caller, pair: _Pair, outcome: Document, deletes: bool) -> None:
    name, changes = str(pair.name), pair.changes
    if pair.stored is None:
        verbs.insert(connection, caller, pair.resource, pair.planned or {})
        outcome["created"].append(name)
    elif pair.planned is None:
        if deletes:
            verbs.remove(connection, caller, pair.resource, pair.stored["id"])
            outcome["deleted"].append(name)
    elif changes:
        verbs.change(connection, caller, pair.resource, pair.stored["id"], changes)
        members = {member: [pair.stored.get(member), value] for member, value in changes.items()}
        outcome["changed"].append({"name": name, "members": members})
    else:
        outcome["unchanged"] += 1


def _stored(connection: sql.Connection, caller: Caller, path: str) -> list[_Pair]:
    """What is stored beneath a path and the caller may read: flows first, each kind in order of its paths."""
    found = []
    beneath = sql.or_(table.c.path == path, sql.func.substr(table.c.path, 1, len(path) + 1) == path + "/")
    for resource in (FLOW, TRACK, *TASKS.values()):
        statement = (
            sql.select(table.c.body)
            .where(
                table.c.kind == resource.name,
                table.c.account == caller.account,
                beneath,
                *verbs.within(caller, resource),
            )
            .order_by(table.c.path, table.c.id)
            .limit(MOST + 1)
        )
        for body in connection.execute(statement).scalars():
            document = orjson.loads(body)
            if verbs.may(caller, resource, document, "read"):
                found.append(_Pair(_name(resource, document), resource, None, document))
    if len(found) > MOST:
        raise TooLarge(f"more than {MOST} objects lie beneath {path}: pull or push a part of it")
    return found


def _paired(wanted: list[_Pair], stored: list[_Pair]) -> list[_Pair]:
    """Each object of a plan with its stored one. Those of the plan come first, then the others in reverse.

    So flows are created before the tracks that need them, and deleted after these.
    """
    paired = [_Pair(pair.name, pair.resource, pair.planned, None) for pair in wanted]
    free = list(stored)
    for key in (_content, _named):  # the equal ones first
        waiting: dict[Any, deque[_Pair]] = {}
        for each in free:
            waiting.setdefault(key(each), deque()).append(each)
        for pair in paired:
            if pair.stored is None and (candidates := waiting.get(key(pair))):
                pair.stored = candidates.popleft().stored
        free = [each for candidates in waiting.values() for each in candidates]
    used = {id(pair.stored) for pair in paired}
    return [*paired, *(pair for pair in reversed(stored) if id(pair.stored) not in used)]


def _content(pair: _Pair) -> Any:
    document = pair.planned if pair.stored is None else _planned(pair.resource, pair.stored)
    members = {**pair.resource.defaults, **(document or {})}
    return pair.name, orjson.dumps(members, option=orjson.OPT_SORT_KEYS)


def _named(pair: _Pair) -> Any:
    return pair.name


def _parsed(caller: Caller, plan: Any) -> tuple[str, list[_Pair], bool, bool]:
    if not isinstance(plan, dict):
        raise BadRequest("a plan is a JSON object: {path, flows, tracks, tasks}")
    if unknown := sorted(plan.keys() - {"path", *_LISTS} - _OPTIONS):
        raise BadRequest(f"a plan has no member {unknown[0]!r}: there are path, {', '.join(_LISTS)}")
    path = account_paths.check_prefix(plan.get("path"), caller.account, "path")
    options = [plan.get(name, False) for name in ("dryRun", "delete")]
    if not all(isinstance(option, bool) for option in options):
        raise BadRequest("dryRun and delete must be true or false")
    found = []
    for listed in _LISTS:
        objects = plan.get(listed, [])
        if not isinstance(objects, list):
            raise BadRequest(f"{listed} must be a list")
        for index, planned in enumerate(objects):
            where = f"{listed}[{index}]"
            if not isinstance(planned, dict):
                raise BadRequest(f"{where} must be a map of members")
            found.append(_pair(listed, where, path, planned))
    if len(found) > MOST:
        raise TooLarge(f"{len(found)} objects in one plan: {MOST} is the most")
    for name, times in Counter(pair.name for pair in found if pair.resource is FLOW).items():
        if times > 1:
            raise BadRequest(f"the plan lists {name} {times} times")
    return path, found, options[0], options[1]


def _pair(listed: str, where: str, path: str, planned: Document) -> _Pair:
    resource = {"flows": FLOW, "tracks": TRACK}.get(listed)
    if resource is None:
        planned = dict(planned)
        kind = planned.pop("type", None)
        if kind not in TASKS:
            raise BadRequest(f"{where}: type must be one of {', '.join(TASKS)}, not {kind!r}")
        resource = TASKS[kind]
    own = resource.path_of(planned)
    if not isinstance(own, str):
        raise BadRequest(f"{where}: {resource.path_members[0]} is required")
    if not account_paths.covers(path, own):
        raise BadRequest(f"{where}: {own} does not lie beneath {path}, the path of the plan")
    kept = {name: value for name, value in planned.items() if name not in _SECRET}
    return _Pair(_name(resource, planned), resource, _planned(resource, kept), None)


def _planned(resource: Resource, document: Mapping[str, Any]) -> Document:
    """The members of a document that belong into a plan."""
    left_out = SET_BY_PLATFORM | resource.readonly | _SECRET
    return {name: value for name, value in sorted(document.items()) if name not in left_out}


def _name(resource: Resource, document: Document) -> _Name:
    destination = document.get("destination")
    listed = destination if isinstance(destination, list) else [destination]
    if resource is FLOW:
        parts = [document["path"]]
    elif resource is TRACK:
        parts = [document["source"], *sorted(map(str, (one for one in listed if one is not None)))]
    else:
        parts = [resource.path_of(document), document.get("url"), document.get("uri"), document.get("topic")]
    return _Name(resource.name, tuple(str(part) for part in parts if part is not None))


def _list_of(resource: Resource) -> str:
    return {"flow": "flows", "track": "tracks"}.get(resource.name, "tasks")


@contextmanager
def _about(pair: _Pair) -> Iterator[None]:
    """Name the object in the message of a problem that is raised in the block."""
    try:
        yield
    except Problem as problem:
        raise type(problem)(f"{pair.name}: {problem.message}") from problem

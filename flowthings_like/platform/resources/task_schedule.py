"""When tasks run: which are due, and what a run leaves behind in the task's document.

A task is due when it is created, when what it does is changed, when it is told to run, and a period after
each run. A disabled task is never due. All of it is written in the transaction of what causes it, so that
every process sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sql

from ..ids import is_id, now_ms
from ..problems import BadRequest
from ..store.schema import resources, task_runs
from .access.rights import intersection
from .base.registry import resources as by_name
from .base.verbs import fetch
from .drops.track_script import from_grants, to_grants

if TYPE_CHECKING:
    from .access.rights import Caller
    from .base.resource import Document
    from .drops.resource_store import ResourceStore

__all__ = [
    "SCHEDULED",
    "SET_BY_RUNS",
    "DueTask",
    "RunResult",
    "RunState",
    "Status",
    "StoredTask",
    "adopt",
    "due_tasks",
    "find_task",
    "record",
]

SCHEDULED = ("api-task", "rss")
"""The kinds of tasks that run periodically."""

SET_BY_RUNS = frozenset(
    ("lastRun", "nextRun", "runCt", "status", "statusMessage", "reportFlowId", "reportPath", "jsRights")
)
"""Members of a task's document that only the platform sets."""

_INERT = frozenset(("displayName", "description", "category", "icon", "favicon", "isFeatured"))
"""Members whose change leaves what the task does as it is."""

DAY = 24 * 3_600_000
"""The longest back-off, in ms, unless the task's own period is longer."""


class Status(Enum):
    """How a run ended."""

    OK = "OK"
    ERROR = "ERROR"
    TIMEOUT = "TIMEOUT"
    NO_NEW_DATA = "NO_NEW_DATA"

    @property
    def is_failure(self) -> bool:
        """Whether the task backs off."""
        return self in (Status.ERROR, Status.TIMEOUT)


@dataclass(slots=True)
class RunState:
    """What a run has to know of the last one.

    Attributes:
        failures: how many runs have failed in a row.
        etag, modified: the headers ETag and Last-Modified of the last answer.
        seen: marks of the entries that were in the feed.
    """

    failures: int = 0
    etag: str | None = None
    modified: str | None = None
    seen: list[str] = field(default_factory=list)

    def as_text(self) -> str:
        """As JSON."""
        return orjson.dumps(self).decode()


@dataclass(frozen=True, slots=True)
class DueTask:
    """A task that is to be run at `due`, in ms since the epoch."""

    id: str
    account: str
    due: int


@dataclass(slots=True)
class StoredTask:
    """A task as a run finds it.

    Attributes:
        kind: the resource's name.
        body: the document.
        due: when it was to be run. If that is another time after a run, the task was changed meanwhile.
    """

    kind: str
    account: str
    body: Document
    state: RunState
    due: int


@dataclass(slots=True)
class RunResult:
    """What came of a run.

    Attributes:
        message: why it failed; "" if it did not.
        drops: how many it has made.
        retry_after: seconds for which the other side does not want to be asked; 0 if it did not say.
        state: for the next run.
    """

    status: Status
    message: str = ""
    drops: int = 0
    retry_after: float = 0.0
    state: RunState = field(default_factory=RunState)


def before_write(
    connection: sql.Connection, caller: Caller, document: Document, before: Document | None
) -> None:
    """Check the rights of who writes a task, and make it due if what it does has changed."""
    caller.require(document["destination"], "dropWrite")
    if before is not None and not _differ(document, before):
        return
    _set_rights(caller, document, before)
    if document.get("disabled"):
        document.pop("nextRun", None)
    else:
        document["nextRun"] = now_ms()
    if before is not None:
        _write_due(connection, caller.account, document["id"], document.get("nextRun"), RunState())


def _set_rights(caller: Caller, document: Document, before: Document | None) -> None:
    """Note the rights of a script's writer: a script may read what its writer may.

    Who edits the rest of the task later lends it no rights, and gains none by sending its drops elsewhere.
    """
    if "js" not in document:
        document.pop("jsRights", None)
        return
    if before is None or before.get("js") != document["js"]:
        granted = caller.rights
    elif caller.rights is not None and before["destination"] != document["destination"]:
        writers = before.get("jsRights")
        granted = caller.rights if writers is None else intersection(to_grants(writers), caller.rights)
    else:
        return
    rights = from_grants(granted)
    if rights is None:
        document.pop("jsRights", None)
    else:
        document["jsRights"] = rights


def after_create(connection: sql.Connection, caller: Caller, document: Document) -> Document:
    """Make a new task due."""
    _write_due(connection, caller.account, document["id"], document.get("nextRun"), RunState())
    return {}


def after_delete(connection: sql.Connection, document: Document) -> None:
    """Forget when the task was to be run. Its reports stay."""
    connection.execute(task_runs.delete().where(task_runs.c.task_id == document["id"]))


def run_now(kind: str, store: ResourceStore, caller: Caller, body: Any) -> Document:
    """Make a task due now. The process that runs the tasks runs it within a second.

    Args:
        body: {id}.

    Returns:
        the task; its `lastRun` changes when it has run.

    Raises:
        BadRequest: it is disabled, or the body names none. Forbidden, NotFound.
    """
    id_ = body.get("id") if isinstance(body, dict) else None
    if not isinstance(id_, str) or not is_id(id_):
        raise BadRequest('the body must be a JSON object with the id of the task: {"id": …}')
    resource = by_name()[kind]

    def work(connection: sql.Connection) -> Document:
        document = fetch(connection, caller, resource, id_)
        caller.require(document["destination"], "write", f"{kind} {id_}")
        if document.get("disabled"):
            raise BadRequest(f"{kind} {id_} is disabled: set disabled to false")
        document["nextRun"] = now_ms()
        _write_body(connection, document)
        changed = connection.execute(
            task_runs.update().where(task_runs.c.task_id == id_).values(due=document["nextRun"])
        )
        if not changed.rowcount:
            _write_due(connection, caller.account, id_, document["nextRun"], RunState())
        return document

    found = store.write(work)
    return resource.present(found)


def adopt(connection: sql.Connection) -> None:
    """Make those tasks due that were stored by a version that did not run them."""
    known = sql.select(task_runs.c.task_id)
    statement = sql.select(resources.c.account, resources.c.body).where(
        resources.c.kind.in_(SCHEDULED), resources.c.id.not_in(known)
    )
    for account, text in connection.execute(statement).all():
        document = orjson.loads(text)
        due = None if document.get("disabled") else now_ms()
        _write_due(connection, account, document["id"], due, RunState())


def due_tasks(connection: sql.Connection, until: int, per_account: int, most: int) -> list[DueTask]:
    """The tasks that are due before `until` (ms since the epoch), the longest due first.

    Args:
        per_account: most of one account, so that the tasks of one do not keep others waiting.
        most: most in all.
    """
    turn = sql.func.row_number().over(partition_by=task_runs.c.account, order_by=task_runs.c.due)
    columns = task_runs.c.task_id, task_runs.c.account, task_runs.c.due, turn.label("turn")
    ranked = sql.select(*columns).where(task_runs.c.due <= until).subquery()
    statement = sql.select(ranked).where(ranked.c.turn <= per_account)
    # By turn first: each account's first task comes before any account's second.
    rows = connection.execute(statement.order_by(ranked.c.turn, ranked.c.due).limit(most))
    return [DueTask(row.task_id, row.account, row.due) for row in rows]


def find_task(connection: sql.Connection, id_: str) -> StoredTask | None:
    """The task, if it is still there and to be run."""
    joined = resources.join(task_runs, task_runs.c.task_id == resources.c.id)
    columns = resources.c.kind, resources.c.account, resources.c.body, task_runs.c.state, task_runs.c.due
    row = connection.execute(
        sql.select(*columns).select_from(joined).where(resources.c.id == id_, task_runs.c.due.is_not(None))
    ).first()
    if row is None:
        return None
    state = RunState(**orjson.loads(row.state))
    return StoredTask(row.kind, row.account, orjson.loads(row.body), state, row.due)


def record(
    connection: sql.Connection, task: StoredTask, result: RunResult, report: tuple[str, str] | None
) -> bool:
    """Write what came of a run into the task's document, and when it runs next.

    Args:
        report: id and path of the flow of its reports; None if it has none.

    Returns:
        False if the task was deleted meanwhile. If it was changed or told to run, it stays due.
    """
    id_ = task.body["id"]
    now_stored = find_task(connection, id_)
    row = connection.execute(sql.select(resources.c.body).where(resources.c.id == id_)).first()
    if row is None:
        return False
    document: Document = orjson.loads(row.body)
    document["lastRun"] = now = now_ms()
    document["runCt"] = document.get("runCt", 0) + 1
    document["status"] = result.status.value
    if result.message:
        document["statusMessage"] = result.message
    else:
        document.pop("statusMessage", None)
    if report is not None:
        document["reportFlowId"], document["reportPath"] = report
    if now_stored is not None and now_stored.due == task.due:
        state = result.state
        state.failures = task.state.failures + 1 if result.status.is_failure else 0
        due = now + wait_of(document["periodicity"], state.failures, result.retry_after)
        document["nextRun"] = due
        _write_due(connection, task.account, id_, due, state)
    _write_body(connection, document)
    return True


def wait_of(period: int, failures: int, retry_after: float) -> int:
    """Milliseconds from a run to the next one: the period, doubled for each failure in a row but the first.

    Args:
        retry_after: seconds that the other side wants to be left alone.
    """
    longest = max(period, DAY)
    wait = min(period * 2 ** min(max(failures - 1, 0), 20), longest)
    return int(max(wait, min(retry_after * 1000, longest)))


def _differ(document: Document, before: Document) -> bool:
    names = (document.keys() | before.keys()) - SET_BY_RUNS - _INERT
    return any(document.get(name) != before.get(name) for name in names)


def _write_body(connection: sql.Connection, document: Document) -> None:
    body = orjson.dumps(document).decode()
    connection.execute(resources.update().where(resources.c.id == document["id"]).values(body=body))


def _write_due(connection: sql.Connection, account: str, id_: str, due: int | None, state: RunState) -> None:
    values = {"account": account, "due": due, "state": state.as_text()}
    changed = connection.execute(task_runs.update().where(task_runs.c.task_id == id_).values(**values))
    if not changed.rowcount:
        connection.execute(task_runs.insert().values(task_id=id_, **values))

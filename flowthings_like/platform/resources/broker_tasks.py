"""What is stored for MQTT tasks: their rights, status, and which drops were published.

A task with a `destination` makes drops of messages. One with a `source` publishes the drops of that flow,
from its creation on: the number of the last arrival that the broker has got is kept, so none is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sql

from ..ids import now_ms
from ..store.schema import drops, resources, sizes, task_runs
from . import flows
from .drops import rows

if TYPE_CHECKING:
    from .access.rights import Caller
    from .base.resource import Document

__all__ = [
    "SET_BY_PLATFORM",
    "Arrivals",
    "BrokerTask",
    "broker_tasks",
    "new_arrivals",
    "note_published",
    "note_status",
]

SET_BY_PLATFORM = frozenset(("lastRun", "runCt", "status", "statusMessage", "reportFlowId", "reportPath"))
"""Members of a task's document that only the platform sets."""

_INERT = SET_BY_PLATFORM | {"displayName", "description", "lastEditDate", "lastEditorId"}


@dataclass(frozen=True, slots=True)
class BrokerTask:
    """An MQTT task that is not disabled."""

    id: str
    account: str
    body: Document

    def does_the_same(self, other: BrokerTask) -> bool:
        """Whether a connection for the one serves the other."""
        names = (self.body.keys() | other.body.keys()) - _INERT
        return all(self.body.get(name) == other.body.get(name) for name in names)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Drops that have arrived in a flow, and the number of the last one."""

    drops: list[Document]
    last: int


def before_write(
    connection: sql.Connection, caller: Caller, document: Document, before: Document | None
) -> None:
    """Publish what arrives in another source from now on."""
    source = document.get("source")
    if source is not None and before is not None and before.get("source") != source:
        _begin(connection, caller.account, document["id"], source)


def after_create(connection: sql.Connection, caller: Caller, document: Document) -> Document:
    """Publish what arrives from now on."""
    if "source" in document:
        _begin(connection, caller.account, document["id"], document["source"])
    return {}


def after_delete(connection: sql.Connection, document: Document) -> None:
    """Forget what was published."""
    connection.execute(task_runs.delete().where(task_runs.c.task_id == document["id"]))


def without_password(document: Document) -> Document:
    """A task as it is shown: its password can be set, and not be read."""
    return {name: value for name, value in document.items() if name != "password"}


def broker_tasks(connection: sql.Connection, most: int, per_account: int) -> list[BrokerTask]:
    """The MQTT tasks that are not disabled, the oldest first, of each account so many."""
    statement = sql.select(resources.c.id, resources.c.account, resources.c.body).where(
        resources.c.kind == "mqtt"
    )
    found: list[BrokerTask] = []
    of_account: dict[str, int] = {}
    for row in connection.execute(statement.order_by(resources.c.created, resources.c.id)):
        body = orjson.loads(row.body)
        count = of_account.get(row.account, 0)
        if not body.get("disabled") and count < per_account and len(found) < most:
            of_account[row.account] = count + 1
            found.append(BrokerTask(row.id, row.account, body))
    return found


def new_arrivals(connection: sql.Connection, task: BrokerTask, most: int) -> Arrivals | None:
    """The drops of the source that were not published yet, at most so many; None if there is no such flow."""
    path = task.body["source"]
    flow = flows.id_at(connection, path)
    if flow is None:
        return None
    text = connection.execute(
        sql.select(task_runs.c.state).where(task_runs.c.task_id == task.id)
    ).scalar_one_or_none()
    published = orjson.loads(text)["arrived"] if text is not None else 0
    if published > _arrivals(connection, flow):  # another flow of this path was there
        published = 0
    statement = (
        rows.SELECT.add_columns(drops.c.arrived)
        .where(drops.c.flow_id == flow, drops.c.arrived > published)
        .order_by(drops.c.arrived)
        .limit(most)
    )
    found: Sequence[Any] = connection.execute(statement).all()
    return Arrivals(
        [rows.to_document(row[:-1], path) for row in found], found[-1][-1] if found else published
    )


def note_published(connection: sql.Connection, task: BrokerTask, arrived: int) -> None:
    """Note that the broker has got the drops up to this arrival."""
    _write(connection, task.account, task.id, arrived)


def note_status(
    connection: sql.Connection, task: BrokerTask, status: str, message: str, report: tuple[str, str] | None
) -> bool:
    """Write the state of the connection into the task's document. Returns whether the task is still there.

    Args:
        report: id and path of the flow of its reports; None to leave what is stored.
    """
    row = connection.execute(sql.select(resources.c.body).where(resources.c.id == task.id)).first()
    if row is None:
        return False
    document = orjson.loads(row.body)
    document["status"], document["statusMessage"] = status, message
    if not message:
        del document["statusMessage"]
    document["lastRun"] = now_ms()
    document["runCt"] = document.get("runCt", 0) + 1
    if report is not None:
        document["reportFlowId"], document["reportPath"] = report
    body = orjson.dumps(document).decode()
    connection.execute(resources.update().where(resources.c.id == task.id).values(body=body))
    return True


def _begin(connection: sql.Connection, account: str, id_: str, source: str) -> None:
    flow = flows.id_at(connection, source)
    _write(connection, account, id_, 0 if flow is None else _arrivals(connection, flow))


def _arrivals(connection: sql.Connection, flow: str) -> int:
    found = connection.execute(
        sql.select(sizes.c.arrivals).where(sizes.c.flow_id == flow)
    ).scalar_one_or_none()
    return found or 0


def _write(connection: sql.Connection, account: str, id_: str, arrived: int) -> None:
    values = {"account": account, "due": None, "state": orjson.dumps({"arrived": arrived}).decode()}
    changed = connection.execute(task_runs.update().where(task_runs.c.task_id == id_).values(**values))
    if not changed.rowcount:
        connection.execute(task_runs.insert().values(task_id=id_, **values))

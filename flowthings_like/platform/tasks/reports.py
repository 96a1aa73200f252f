"""The flow of a task's reports: made when the first one is written."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..problems import Problem, Unavailable
from ..resources.base import verbs as resource_verbs
from ..resources.drops import verbs as drop_verbs
from ..resources.flows import FLOW, id_at

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..resources.access.rights import Caller
    from ..resources.drops.resource_store import ResourceStore

__all__ = ["REPORTS", "report"]

REPORTS = 100
"""How many reports of a task are kept."""

_log = logging.getLogger("flowthings_like.platform.tasks")


def report(store: ResourceStore, owner: Caller, task: str, elems: dict[str, Any]) -> tuple[str, str] | None:
    """Write a report of a task.

    Args:
        owner: who has created the task.
        task: its id.

    Returns:
        id and path of the flow of its reports; None if there can be none.

    Raises:
        Unavailable: the store cannot be used now.
    """
    path = f"/{owner.account}/:reports/{task}-report"

    def work(connection: Connection) -> str:
        found = id_at(connection, path)
        if found is None:
            model = {"path": path, "capacity": REPORTS, "description": "reports of a task"}
            found = resource_verbs.insert(connection, owner, FLOW, model)["id"]
        return found

    try:
        flow = store.read(lambda connection: id_at(connection, path)) or store.write(work, clears_cache=True)
        drop_verbs.create(store, owner, flow, {"elems": elems})
        return flow, path
    except Unavailable:
        raise
    except Problem as problem:  # its path would be too long, or it has a filter
        _log.warning("a report of %s is lost: %s", task, problem.message)
        return None

"""Plans: the flows, tracks and tasks at and beneath a path, as one document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from .resource import BaseService

__all__ = ["Plan", "PlanChange", "PlanResult", "PlanService"]


class Plan(TypedDict, total=False):
    """The flows, tracks and tasks at and beneath a path, without ids."""

    path: str
    flows: list[dict[str, Any]]
    tracks: list[dict[str, Any]]
    tasks: list[dict[str, Any]]


class PlanChange(TypedDict):
    """An object that a push has changed: its name, and {member: [old value, new value]}."""

    name: str
    members: dict[str, list[Any]]


class PlanResult(TypedDict):
    """What a push has done: names of objects, and how many were as the plan says already."""

    created: list[str]
    changed: list[PlanChange]
    deleted: list[str]
    unchanged: int


class PlanService(BaseService):
    """`api.plan`, on the embedded platform. A plan can be kept in a file, and pushed to another platform."""

    name = "plan"
    path = "/plan"

    def pull(self, path: str, **params: Any) -> Plan:
        """The flows, tracks and tasks at and beneath a path, as far as the token may read them.

        A plan holds no ids and no passwords.
        """
        pulled: Plan = self._call("GET", "", None, {**params, "params": {"path": path}})
        return pulled

    def push(
        self, plan: Mapping[str, Any], dry_run: bool = False, delete: bool = False, **params: Any
    ) -> PlanResult:
        """Make what is stored as a plan says, all of it or, if anything is refused, nothing.

        Args:
            plan: as `pull` returns it.
            dry_run: change nothing, and return what would be done.
            delete: delete flows, with their drops, tracks and tasks beneath the plan's path that the plan
                does not list. Otherwise they are left alone.
        """
        pushed: PlanResult = self._call("POST", "", {**plan, "dryRun": dry_run, "delete": delete}, params)
        return pushed

"""The registry: every resource that a module directly in platform/resources/ declares."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from .resource import Resource

if TYPE_CHECKING:
    from ..statistics.counters import Statistic

__all__ = ["Counted", "resources", "statistics"]

_PACKAGE = "flowthings_like.platform.resources"
_TAKEN = {"drop": "d", "statistics": "", "plan": ""}
"""{name: letter} of what is served beside the resources: a resource must not use these."""


class Counted(NamedTuple):
    """A statistic, and the resource whose documents it is counted for."""

    statistic: Statistic
    resource: Resource


@lru_cache
def resources() -> Mapping[str, Resource]:
    """All resources by name. The modules are imported at the first call.

    Raises:
        TypeError: two resources have the same name or the same letter.
    """
    found: dict[str, Resource] = {}
    for module in pkgutil.iter_modules(import_module(_PACKAGE).__path__, f"{_PACKAGE}."):
        if not module.ispkg:
            for value in vars(import_module(module.name)).values():
                if isinstance(value, Resource) and found.get(value.name) is not value:
                    _check_is_new(value, found)
                    found[value.name] = value
    return found


@lru_cache
def statistics() -> Mapping[str, Counted]:
    """All statistics by name."""
    return {
        statistic.name: Counted(statistic, resource)
        for resource in resources().values()
        for statistic in resource.statistics
    }


def _check_is_new(resource: Resource, found: Mapping[str, Resource]) -> None:
    letters = {**{other.letter: name for name, other in found.items()}, **{v: k for k, v in _TAKEN.items()}}
    if resource.name in found or resource.name in _TAKEN:
        raise TypeError(f"there are two resources {resource.name}")
    if resource.letter in letters:
        raise TypeError(
            f"the ids of {resource.name} and {letters[resource.letter]} begin with {resource.letter}"
        )

"""The argument PATH of commands about one flow, whose paths a shell completes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..filters import mem
from .place import Place

__all__ = ["flow_argument"]

F = TypeVar("F", bound=Callable[..., Any])

SECONDS = 2.0
"""How long a platform may take for a completion, at each press of the Tab key."""
MOST = 200
"""The most paths that are offered."""


def flow_argument(function: F) -> F:
    """Add the argument PATH, a flow's path or id, which the function gets as `flow`."""
    return click.argument("flow", metavar="PATH", shell_complete=_paths)(function)


def _paths(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The paths of flows that begin with what was typed; none after an error."""
    given = context.params
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            place = Place(given.get("data"), given.get("profile"), given.get("account") or "acme")
            with place.opened(SECONDS) as api:
                begins = mem.path.re("^" + re.escape(incomplete))
                return [flow["path"] for flow in api.flow.find(begins, limit=MOST, sort="path", order="asc")]
    except Exception:  # a message would stand in the middle of the line that is being typed
        return []

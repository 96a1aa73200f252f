"""GreenThunks in Jinja2 templates.

Most of a template takes thunks as they are: `{{ flow.path }}`, `{% for drop in drops %}`, `{% if drops %}`.
Tests that compare identities do not (`is none`), and neither do filters that need a real str. `install` makes
the tests and filters that an environment has wait for their arguments.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from ..green.calls.thunk import GreenThunk, force, force_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment

__all__ = ["install"]

_NEVER_WAIT = frozenset({"defined", "undefined", "filter", "test"})


def install(environment: Environment) -> None:
    """Let the filters and tests of an environment take thunks in place of values.

    Filters and tests that are added later get thunks; let them call `force`.

    Args:
        environment: of Jinja2; for Flask, `app.jinja_env`.
    """
    for table in (environment.filters, environment.tests):
        for name, function in list(table.items()):
            if name not in _NEVER_WAIT and not hasattr(function, "__flowthings_forces__"):
                table[name] = _forcing(function)


def _forcing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same filter or test with values in place of thunks, also of those in a list that it is given."""

    # Copies the attributes by which Jinja2 knows what to pass.
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = force_all(args, kwargs)
        return function(*map(_with_values, args), **kwargs)

    call.__flowthings_forces__ = True  # type: ignore[attr-defined]
    return call


def _with_values(value: Any) -> Any:
    kind = type(value)
    if (kind is list or kind is tuple) and any(type(item) is GreenThunk for item in value):
        return kind(map(force, value))
    return value

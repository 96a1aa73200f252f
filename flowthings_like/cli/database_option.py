"""The option that names the database of `query:SQL` and `table:NAME`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .url_password import refuse_shown_password

__all__ = ["database_option"]

VARIABLE = "FLOWTHINGS_DB"
"""The environment variable that holds the URL if the command line does not."""

F = TypeVar("F", bound=Callable[..., Any])


def database_option(function: F) -> F:
    """Add `--db`, which the function gets as a URL or None."""
    return click.option(
        "--db",
        metavar="URL",
        envvar=VARIABLE,
        callback=_check,
        help="the database of query: and table:, such as postgresql://user@host/name, with a password only "
        f"in {VARIABLE} (that of the folder or profile)",
    )(function)


def _check(context: click.Context, option: click.Parameter, url: str | None) -> str | None:
    """A URL. A password that other users of the machine could read is refused."""
    if url is not None:
        refuse_shown_password(context, option, url, f"put the URL into {VARIABLE}")
    return url

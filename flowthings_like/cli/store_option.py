"""The option that names the database server with a platform's data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .url_password import refuse_shown_password, user_and_place

__all__ = ["VARIABLE", "store_option", "without_password"]

VARIABLE = "FLOWTHINGS_STORE_URL"
"""The environment variable that holds the URL if the command line does not."""

F = TypeVar("F", bound=Callable[..., Any])


def store_option(function: F) -> F:
    """Add `--store`, which the function gets as a URL or None."""
    return click.option(
        "--store",
        metavar="URL",
        envvar=VARIABLE,
        callback=_check,
        help="the PostgreSQL database with resources and drops, postgresql://user@host/name; "
        f"with a password only in {VARIABLE}",
    )(function)


def without_password(url: str) -> str:
    """The URL for people to read."""
    user, place = user_and_place(url)
    return f"{url.partition('://')[0]}://{f'{user}@' if user else ''}{place}"


def _check(context: click.Context, option: click.Parameter, url: str | None) -> str | None:
    """A URL. A password that other users of the machine could read is refused."""
    if url is None:
        return None
    if "://" not in url:
        raise click.BadParameter("a URL is needed, such as postgresql://user@host/name")
    refuse_shown_password(
        context, option, url, f"put the URL into {VARIABLE}, or the password into ~/.pgpass"
    )
    return url

"""The option that names the bus between the workers of a platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from .url_password import refuse_shown_password, user_and_place

__all__ = ["VARIABLE", "bus_option", "without_login"]

VARIABLE = "FLOWTHINGS_BUS_URL"
"""The environment variable that holds the URL if the command line does not."""

F = TypeVar("F", bound=Callable[..., Any])


def bus_option(function: F) -> F:
    """Add `--bus`, which the function gets as a URL or None."""
    return click.option(
        "--bus",
        metavar="URL",
        envvar=VARIABLE,
        callback=_check,
        help="the Redis over which workers that share no folder tell each other of changes, "
        f"redis://host:6379/0; with a password only in {VARIABLE}",
    )(function)


def without_login(url: str) -> str:
    """The URL for people to read."""
    return f"{url.partition('://')[0]}://{user_and_place(url)[1]}"


def _check(context: click.Context, option: click.Parameter, url: str | None) -> str | None:
    """A URL. A password that other users of the machine could read is refused."""
    if url is None:
        return None
    if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise click.BadParameter("a URL is needed, such as redis://host:6379/0")
    refuse_shown_password(context, option, url, f"put the URL into {VARIABLE}")
    return url

"""The options that say which platform a command talks to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from ..api import API
from ..credentials import profile_names
from ..errors import ConfigurationError

__all__ = ["Place", "check_folder", "json_option", "place_options"]

F = TypeVar("F", bound=Callable[..., Any])


class Place:
    """Where the data is: in a folder, or on the platform of a profile.

    Args:
        data: the folder of an embedded platform; None for a profile.
        profile: a section of the credentials file; None for the default one, or the environment.
        account: the account in the folder.
        create: whether to make the folder if it is missing.
    """

    def __init__(self, data: Path | None, profile: str | None, account: str, create: bool = False) -> None:
        if data is not None and profile is not None:
            raise click.UsageError("give --data or --profile, not both")
        self._data = data
        self._profile = profile
        self._account = account
        self._create = create

    @contextmanager
    def opened(self, timeout: float | None = None, db: str | None = None) -> Iterator[API]:
        """An API for the block.

        Args:
            timeout: the API's option of this name, for a platform over the network; None for its default.
            db: likewise.

        Raises:
            ConfigurationError: there are no credentials, or there is no such folder.
        """
        if self._data is None:
            api = API.connect(self._profile, timeout=timeout, db=db)
        else:
            if not self._create:
                check_folder(self._data)
            api = API.embedded(self._data, account=self._account, db=db)
        with api:
            yield api


def check_folder(data: Path) -> None:
    """Raise ConfigurationError if there is no such folder: it would be made, and would be empty."""
    if re.match(r"[a-z+]+:/", str(data)):  # without the URL, which may hold a password
        raise ConfigurationError(
            "--data takes a folder, and not a URL: flowthings-like serve --store serves a database server, "
            "and --profile names what is served"
        )
    if not data.is_dir():
        raise ConfigurationError(
            f"there is no folder {str(data)!r}; "
            "API.embedded, flowthings-like serve and flowthings-like load --create make one"
        )


def place_options(function: F) -> F:
    """Add `--data`, `--profile` and `--account`, which the function gets as keywords."""
    for option in (
        click.option("--account", default="acme", metavar="NAME", help="the account in the folder (acme)"),
        click.option(
            "--profile",
            metavar="NAME",
            help="a profile in ~/.flowthings/credentials; [default] unless given",
            shell_complete=_profiles,
        ),
        click.option(
            "--data",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="the folder of an embedded platform",
        ),
    ):
        function = option(function)
    return function


def json_option(function: F) -> F:
    """Add `--json`. The function gets it as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="print JSON, an object on each line")(
        function
    )


def _profiles(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The names of profiles that begin with what was typed, for a shell."""
    return [name for name in profile_names() if name.startswith(incomplete)]

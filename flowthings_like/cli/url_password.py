"""Passwords in URLs: refused on a command line, which every user of the machine can read."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import click
from click.core import ParameterSource

__all__ = ["refuse_shown_password"]


def refuse_shown_password(context: click.Context, option: click.Parameter, url: str, instead: str) -> None:
    """Raise BadParameter if the command line holds a URL with a password. `instead` says what to do."""
    assert option.name is not None
    if context.get_parameter_source(option.name) is not ParameterSource.COMMANDLINE:
        return
    parts = urlsplit(url)
    if parts.password is not None or "password" in parse_qs(parts.query):
        raise click.BadParameter(
            f"every user of this machine can read a password on the command line: {instead}"
        )

"""Passwords in URLs: refused on a command line, which every user of the machine can read."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

import click
from click.core import ParameterSource

__all__ = ["refuse_shown_password", "user_and_place"]

_LOGIN = re.compile(r"[^:/]*://(?:(?P<user>[^:/@]*)(?P<password>:[^@]*)?@)?(?P<place>[^?#]*)")
"""As SQLAlchemy cuts a URL: a `/`, `?` or `#` in a password ends nothing, as it would in others' eyes."""


def user_and_place(url: str) -> tuple[str, str]:
    """Who logs in at a URL, "" for nobody; and the host, port and path. Both without the password."""
    found = _LOGIN.match(url)
    return ("", "") if found is None else (found["user"] or "", found["place"])


def refuse_shown_password(context: click.Context, option: click.Parameter, url: str, instead: str) -> None:
    """Raise BadParameter if the command line holds a URL with a password. `instead` says what to do."""
    assert option.name is not None
    if context.get_parameter_source(option.name) is not ParameterSource.COMMANDLINE:
        return
    found = _LOGIN.match(url)
    has_login = found is not None and found["password"] is not None
    if has_login or any(name.endswith("password") for name in parse_qs(url.partition("?")[2])):
        raise click.BadParameter(
            f"every user of this machine can read a password on the command line: {instead}"
        )

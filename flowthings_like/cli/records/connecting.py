"""Where the records are: a folder, a server or a profile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...api import API
from ...errors import ConfigurationError
from ...services.records.api_client import Records, server_of
from ..place import check_folder

if TYPE_CHECKING:
    from ...services.records.api_client import RecordChannel
    from ...services.records.payload_types import PayloadType
    from .arguments import CommonArguments

__all__ = ["opened", "server_options"]

F = TypeVar("F", bound=Callable[..., Any])

MEMORY = 64 << 20
"""Bytes of records that are in memory at once, about. The largest record has half of that."""

CONNECT_TIMEOUT, TIMEOUT = 10.0, 60.0
"""Seconds to connect, and for each part that is sent or received."""


def server_options(function: F) -> F:
    """Add the options that say where the records are."""
    for option in (
        click.option("--cafile", metavar="PEM", help="the authorities to trust, for tstorages://"),
        click.option("--account", default="acme", metavar="NAME", help="the account in the folder (acme)"),
        click.option("--profile", metavar="NAME", help="a profile in ~/.flowthings/credentials"),
        click.option(
            "--server",
            metavar="URL",
            help="tstorage://host:port, or tstorages:// for TLS (FLOWTHINGS_RECORDS)",
        ),
        click.option(
            "--data",
            metavar="DIR",
            type=click.Path(path_type=Path),
            help="the folder of an embedded platform",
        ),
    ):
        function = option(function)
    return function


@contextmanager
def opened(arguments: CommonArguments, payload_type: PayloadType[Any]) -> Iterator[RecordChannel[Any]]:
    """A channel for the block.

    Raises:
        ConfigurationError: it is not said where the records are, or there is no such place.
    """
    with _records(arguments) as records:
        yield records(payload_type, memory_limit=MEMORY)


@contextmanager
def _records(arguments: CommonArguments) -> Iterator[Records]:
    if arguments.data is not None:
        check_folder(arguments.data)
        with API.embedded(arguments.data, account=arguments.account) as api:
            yield api.record
        return
    if arguments.profile is not None:
        with API.connect(arguments.profile) as api:
            yield api.record
        return
    url = arguments.server or os.environ.get("FLOWTHINGS_RECORDS")
    if not url:
        raise ConfigurationError(
            "say where the records are: --data DIR, --server tstorage://host:port or --profile NAME"
        )
    made = Records(
        server_of(url, None), tls=arguments.cafile or True, connect_timeout=CONNECT_TIMEOUT, timeout=TIMEOUT
    )
    with closing(made):
        yield made

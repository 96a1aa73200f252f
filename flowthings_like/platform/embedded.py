"""The platform in this process: one folder, no socket, no stored token."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from sqlalchemy.exc import DatabaseError

from ..errors import ConfigurationError
from .live.front import LiveFront
from .problems import BadRequest, Unavailable
from .records.service import Address as RecordsAddress
from .records.service import Service as RecordsService
from .requirements import check_requirements
from .resources.access.accounts import Accounts, check_name
from .resources.drops.resource_store import ResourceStore
from .rest.application import Application, Limits
from .streams.service import Address as StreamsAddress
from .streams.service import Service as StreamsService
from .tasks.service import TaskService, TaskSettings
from .things.service import Address, Service

if TYPE_CHECKING:
    from types import TracebackType


class Platform:
    """An open platform. Close it, or use it as a context manager; closing twice is harmless.

    Attributes:
        application: the REST side, a WSGI application.
        front: the same with live messages.
        live: opens sessions for live messages.
        account: whose resources the token opens.
        token: a secret made when the platform was opened. Its holder acts as the account, in this application
            only, until it is closed.
        store: the data.
        things: rooms and queries. Their node starts when its address is first asked for.
        streams: time series. Their node starts likewise.
        records: binary records. Their node starts likewise.
        tasks: runs the tasks of the folder; None if this platform does not.
    """

    def __init__(
        self,
        store: ResourceStore,
        account: str,
        max_capacity: int | None = None,
        limits: Limits | None = None,
        tasks: TaskSettings | None = None,
    ) -> None:
        self.store = store
        self.account = account
        self.token = secrets.token_urlsafe(32)
        self.accounts = Accounts(store, trusted={self.token: account}, max_capacity=max_capacity)
        self.application = Application(store, self.accounts, limits)
        self.front = LiveFront(self.application, store, self.accounts)
        self.live = self.front.live
        self.things = Service(store, self.accounts)
        self.streams = StreamsService(store, self.accounts)
        self.records = RecordsService(store)
        self.tasks = None if tasks is None else TaskService(store, tasks)
        if self.tasks is not None:
            self.tasks.start()

    def things_address(self) -> Address:
        """(host, port, user, password) of the folder's things node, for any ThingsDB client.

        Raises:
            ConfigurationError: the platform has no folder or is closed.
        """
        return self.things.address(self.account)

    def things_endpoints(self) -> list[str]:
        """The same as URLs, which hold the password. Ask again before each attempt to connect: the node may
        have moved to another process."""
        return self.things.endpoints(self.account)

    def streams_address(self) -> StreamsAddress:
        """(host, port, key) of the folder's stream store, for any BTrDB client.

        Ask again before each attempt to connect: the store may have moved to another process.

        Raises:
            ConfigurationError: the platform has no folder or is closed, or a package that streams need is not
                installed.
        """
        return self.streams.address(self.account)

    def records_address(self) -> RecordsAddress:
        """(host, port) of the folder's record store, for any TStorage client. There is no login.

        Ask again before each attempt to connect: the store may have moved to another process.

        Raises:
            ConfigurationError: the platform has no folder or is closed, or a package that records need is not
                installed.
        """
        return self.records.address()

    def close(self) -> None:
        """Write what is still in memory and close the store."""
        try:
            try:
                try:
                    if self.tasks is not None:
                        self.tasks.close()
                finally:
                    self.records.close()
            finally:
                self.streams.close()
        finally:
            self.things.close()
            self.front.close()
            self.store.close()

    def __enter__(self) -> Platform:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Platform of account {self.account!r}>"


def open_platform(
    folder: str | os.PathLike[str],
    account: str,
    *,
    max_capacity: int | None = None,
    limits: Limits | None = None,
    tasks: TaskSettings | None = None,
    store: str | None = None,
) -> Platform:
    """Open the platform whose data is in `folder`; folder, data and account are made if they are missing.

    Several may be open on one folder, in this process and in others.

    Args:
        folder: where the data is, or the URL of its database.
        account: whose resources to open. Lower-case letters, digits, `-` and `_`.
        max_capacity: the largest capacity that a flow may be given, None for any.
        limits: what requests may take up. None: as much as they need, as only this process makes any.
        tasks: how to run the folder's tasks; None to run none in this process.
        store: the URL of the database that resources and drops are in: then the folder has the rest.

    Raises:
        ValueError: the account's name cannot be one, or the capacity is no whole number of at least 0.
        ConfigurationError: the folder cannot be used: it is read-only, damaged or no folder; or a package
            that the platform needs is not installed.
    """
    try:
        check_name(account)
    except BadRequest as problem:
        raise ValueError(problem.message) from None
    if max_capacity is not None and (type(max_capacity) is not int or max_capacity < 0):
        raise ValueError(f"max_capacity must be a whole number of at least 0, or None, not {max_capacity!r}")
    check_requirements()
    try:
        opened = ResourceStore(folder) if store is None else ResourceStore(store, folder)
        try:
            return Platform(opened, account, max_capacity, limits, tasks)
        except BaseException:
            opened.close()
            raise
    except DatabaseError as error:  # its tables can be found but not read
        raise ConfigurationError(f"the database in {_name(folder)} is damaged: {error.orig}") from error
    except Unavailable as problem:
        raise ConfigurationError(f"{_name(folder)} cannot be opened: {problem.message}") from problem


def _name(place: str | os.PathLike[str]) -> str:
    """A place for messages: a URL may hold a password."""
    return "the database" if "://" in str(place) else repr(os.fspath(place))

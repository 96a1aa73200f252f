"""The platform in this process: one folder, no socket, no stored token."""

from __future__ import annotations

import os
import secrets
from types import TracebackType

from .accounts import Accounts, check_name
from .application import Application
from .problems import BadRequest
from .store.store import Store


class Platform:
    """An open platform. Close it, or use it as a context manager; closing twice is harmless.

    Attributes:
        application: the WSGI application.
        account: whose resources the token opens.
        token: a secret made when the platform was opened. It lets whoever holds it in as the account, through
            this very application only, and is worth nothing once it is closed.
        store: the data.
    """

    def __init__(self, store: Store, account: str) -> None:
        self.store = store
        self.account = account
        self.token = secrets.token_urlsafe(32)
        self.accounts = Accounts(store, trusted={self.token: account})
        self.application = Application(store, self.accounts)

    def close(self) -> None:
        """Write down what is left and close the store."""
        self.application.close()
        self.store.close()

    def __enter__(self) -> Platform:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Platform of account {self.account!r}>"


def open_platform(folder: str | os.PathLike[str], account: str) -> Platform:
    """Open the platform whose data is in `folder`; folder, data and account are made if they are missing.

    Several may be open on one folder, in this process and in others.

    Args:
        folder: where the data is, or an SQLAlchemy URL.
        account: whose resources to open. Lower-case letters, digits, `-` and `_`.

    Raises:
        ValueError: the account's name cannot be one.
        ConfigurationError: the folder cannot be used.
    """
    try:
        check_name(account)
    except BadRequest as problem:
        raise ValueError(problem.message) from None
    store = Store(folder)
    try:
        return Platform(store, account)
    except BaseException:
        store.close()
        raise

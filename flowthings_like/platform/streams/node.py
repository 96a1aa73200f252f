"""The node: the open store, and the server that answers calls from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ConfigurationError
from ..grpc.server import GrpcServer
from .authentication import Authenticator
from .handlers.registry import handlers
from .retention import Trimmer
from .store import StreamStore

if TYPE_CHECKING:
    from ..resources.access.accounts import Accounts
    from ..store.store import Store

__all__ = ["Node"]


class Node:
    """Listens as soon as it is made.

    Args:
        store: the platform's data, in whose folder the streams are.
        accounts: the platform's accounts, whose master tokens are keys.
        secret: what opens every account, as `authentication.key_of` writes it.
        host, port: where to listen; port 0 takes a free one.

    Attributes:
        addresses: (host, port) that it listens at.
        streams: the open store.

    Raises:
        ConfigurationError: it cannot listen there, the store cannot be opened, or a package is missing.
    """

    def __init__(self, store: Store, accounts: Accounts, secret: str, host: str, port: int) -> None:
        if store.folder is None:
            raise ConfigurationError("streams are kept in a folder")
        authenticator = Authenticator(store, accounts, secret)
        self.streams = StreamStore(store.folder)
        try:
            self._server = GrpcServer(
                handlers(self.streams, authenticator.account), host, port, authorize=authenticator.account
            )
            self.addresses = [self._server.start()]
            try:
                self._trimmer = Trimmer(self.streams)
            except BaseException:
                self._server.close(0)
                raise
        except BaseException:
            self.streams.close()
            raise

    def close(self) -> None:
        """Answer the calls that are in flight, end the connections and close the store."""
        self._trimmer.close()
        try:
            self._server.close()
        finally:
            self.streams.close()

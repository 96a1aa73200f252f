"""The certificate that a server shows: checked before it is used, and loaded again when its files change."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Certificate", "check_certificate"]

_log = logging.getLogger("flowthings_like.platform")


def check_certificate(certfile: str, keyfile: str | None) -> None:
    """Raise ConfigurationError if a certificate and its key cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for file in filter(None, (certfile, keyfile)):
        try:
            with Path(file).open("rb"):
                pass
        except OSError as error:
            raise ConfigurationError(f"{file!r} cannot be read: {error.strerror}") from error
    try:
        context.load_cert_chain(certfile, keyfile, password=lambda: "")  # an encrypted key must not ask
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ConfigurationError(
            f"{certfile!r} and its key cannot be used: {reason}; both are PEM, and the key has no password"
        ) from error


class Certificate:
    """A certificate in use.

    Connections that there are keep the one with which they began.

    Args:
        certfile, keyfile: PEM files; without `keyfile` both are in one.
        make: makes the context of these files.

    Attributes:
        context: for the handshakes from now on.
    """

    def __init__(self, certfile: str, keyfile: str | None, make: Callable[[], ssl.SSLContext]) -> None:
        self._certfile = certfile
        self._keyfile = keyfile
        self._make = make
        self._seen = self._stamp()
        self.context = make()

    def refresh(self) -> None:
        """Load the files again if they have changed.

        If they cannot be used, the certificate stays as it is until they change again: the two are usually
        replaced one after the other.
        """
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            check_certificate(self._certfile, self._keyfile)
            self.context = self._make()
        except (ConfigurationError, OSError, ValueError) as error:  # an SSLError is an OSError
            _log.warning("the certificate stays as it was: %s", error)
        else:
            _log.info("the certificate was loaded again")

    def _stamp(self) -> list[tuple[int, int, int] | None]:
        return [_stamp_of(Path(file)) for file in (self._certfile, self._keyfile) if file]


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

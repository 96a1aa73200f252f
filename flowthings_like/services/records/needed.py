"""Says what to install where a package is missing that only some records need."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["needed"]


@contextmanager
def needed(what: str) -> Iterator[None]:
    """For an import of a module whose packages may not be installed.

    Args:
        what: what needs them, for the message.

    Raises:
        ConfigurationError: one is not installed. The message says what to install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "flowthings_like" or not package:
            raise
        install = "'flowthings_like[records]'" if package == "numpy" else package
        raise ConfigurationError(f"{what} needs the package {package}; run: pip install {install}") from error

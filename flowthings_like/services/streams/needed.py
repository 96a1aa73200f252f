"""Says what to install where a package is missing that only streams need."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["needed"]

_EXTRA = {"numpy", "h2", "google", "yaml", "certifi"}


@contextmanager
def needed() -> Iterator[None]:
    """For an import of a module whose packages may not be installed.

    Raises:
        ConfigurationError: one is not. The message says what to install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "flowthings_like" or not package:
            raise
        what = "'flowthings_like[streams]'" if package in _EXTRA else package
        raise ConfigurationError(f"this needs the package {package}; run: pip install {what}") from error

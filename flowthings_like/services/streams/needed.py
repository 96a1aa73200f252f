"""Says what to install where a package is missing that only streams need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..needed_packages import needed_packages

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["needed"]

_EXTRA = {"numpy", "h2", "google", "yaml", "certifi"}


def needed() -> AbstractContextManager[None]:
    """For an import of a module whose packages may not be installed.

    Raises ConfigurationError if one is not. The message says what to install.
    """
    return needed_packages("this", "streams", _EXTRA)

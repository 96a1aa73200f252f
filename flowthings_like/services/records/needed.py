"""Says what to install where a package is missing that only some records need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..needed_packages import needed_packages

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["needed"]


def needed(what: str) -> AbstractContextManager[None]:
    """For an import of a module whose packages may not be installed; `what` needs them.

    Raises ConfigurationError if one is not. The message says what to install.
    """
    return needed_packages(what, "records", {"numpy"})

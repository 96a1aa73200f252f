"""Says what to install where a package is missing that only some callers need."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["needed_packages"]


@contextmanager
def needed_packages(what: str, extra: str, packages: Collection[str]) -> Iterator[None]:
    """For an import of a module whose packages may not be installed.

    Args:
        what: what needs them, for the message.
        extra: the extra of this package that brings some of them.
        packages: those, by the names of their modules.

    Raises:
        ConfigurationError: one is not installed. The message says what to install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "flowthings_like" or not package:
            raise
        install = f"'flowthings_like[{extra}]'" if package in packages else package
        raise ConfigurationError(f"{what} needs the package {package}; run: pip install {install}") from error

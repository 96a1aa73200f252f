"""Checks for the packages that the platform needs, before it opens."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from ..errors import ConfigurationError

__all__ = ["check_requirements"]

_INSTALL = "pip install 'flowthings_like[embedded]'"
_NEEDED = {"lark": "lark", "msgpack": "msgpack", "wsproto": "wsproto"}
"""{module: package} of what rooms and queries need. They are imported when these are first used."""


def check_requirements() -> None:
    """Raise ConfigurationError, naming the package, if one is missing whose absence would show only later.

    google-re2 is imported, not only looked for: it is compiled, and a build for another system is found but
    cannot be loaded.
    """
    try:
        import_module("re2")
    except ImportError as error:
        raise ConfigurationError(
            "the platform runs regular expressions on the package google-re2, "
            f"which cannot be imported here ({error}); run: {_INSTALL}"
        ) from error
    for module, package in _NEEDED.items():
        if find_spec(module) is None:
            raise ConfigurationError(
                f"the platform's rooms and queries need the package {package}; run: {_INSTALL}"
            )

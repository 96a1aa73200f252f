"""The event of a request over HTTP."""

from __future__ import annotations

import re

from .event import Family
from .observers import Observed

__all__ = ["observed_request"]

_RESOURCE = re.compile(r"/?[A-Za-z-]{1,40}(?=/|$)")


def observed_request(method: str, path: str, url: str) -> Observed:
    """The event of a request. Its operation is the verb and the resource, and nothing of what follows that.

    Args:
        path: behind the account.
    """
    found = _RESOURCE.match(path)
    resource = found[0].lstrip("/") if found else ""
    return Observed(Family.HTTP, f"{method} /{resource}", url.partition("://")[2].partition("/")[0])

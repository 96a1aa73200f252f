"""What stands between a session and a host: adapters, proxies, passwords, authorities.

It is asked once for each host. requests asks the environment twice for each call, a quarter of its time.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, get_netrc_auth, select_proxy

if TYPE_CHECKING:
    import requests

__all__ = ["PREFIX", "Surroundings", "explore"]

PREFIX = re.compile(r"(https?)://(?:([a-z0-9_.-]+)|\[([0-9a-f:.]+)\])(?::([0-9]{1,5}))?", re.IGNORECASE)
"""The beginning of a URL that can be gone to directly: scheme, name or address, port."""


@dataclass(frozen=True)
class Surroundings:
    """What the environment says about one host.

    Attributes:
        trusted: whether the environment was asked at all.
        direct: whether nothing stands between this process and the host.
        netrc: whether there is a password for it in ~/.netrc.
        proxies: as requests takes them.
        bundle: the authorities to trust instead of the usual ones.
    """

    trusted: bool
    direct: bool
    netrc: bool
    proxies: dict[str, str]
    bundle: str | None


def explore(session: requests.Session, prefix: str) -> Surroundings:
    """Look around.

    Args:
        session: whose adapters count, and whether it trusts the environment.
        prefix: a URL up to its path.
    """
    url = prefix + "/"
    known = PREFIX.fullmatch(prefix) is not None and type(session.get_adapter(url)) is HTTPAdapter
    if not session.trust_env:
        return Surroundings(False, known, False, {}, None)
    proxies = get_environ_proxies(url, no_proxy=None)
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    netrc = get_netrc_auth(url) is not None
    direct = known and not netrc and not select_proxy(url, proxies)
    return Surroundings(True, direct, netrc, proxies, bundle or None)

"""Checks the URLs of proxies, and shows them without their password."""

from __future__ import annotations

import re

from ...errors import ConfigurationError
from .hosts import check_host

__all__ = ["check_proxy", "without_password"]

_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


def check_proxy(url: str) -> str:
    """Check the URL of a proxy that was set in the session or the environment; returns it with its scheme.

    Raises:
        ConfigurationError: it makes no sense; its password is left out.
    """
    text = url.strip()
    scheme, colon, rest = text.partition("://")
    if not colon:
        scheme, rest = "http", text
    place = rest.rpartition("@")[2].rstrip("/")
    try:
        if scheme.lower() not in _SCHEMES:
            raise ConfigurationError(f"its scheme is none of {', '.join(_SCHEMES)}")
        if "/" in rest.rstrip("/").rpartition("@")[0] or re.search(r"[/?#\s]", place):
            raise ConfigurationError("there is more than scheme, user, host and port in it")
        check_host("the host", place, "")
    except ConfigurationError as error:
        raise ConfigurationError(
            f"the proxy {without_password(url)!r} makes no sense: {error}. It stands in session.proxies "
            "or in the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY); write http://host:port"
        ) from None
    return text if colon else f"http://{text}"


def without_password(url: str) -> str:
    """A URL without its user and password, to show."""
    scheme, colon, rest = url.partition("://")
    if not colon:
        scheme, rest = "", url
    return f"{scheme}{colon}{rest.rpartition('@')[2]}"

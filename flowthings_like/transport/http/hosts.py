"""Finds and checks the host names of an API."""

from __future__ import annotations

import os
import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any

from ...errors import ConfigurationError

__all__ = ["HISTORIC_HOST", "HISTORIC_WS_HOST", "NO_HOST", "NO_WS_HOST", "check_host", "find_host"]

HISTORIC_HOST = "api.flowthings.io"
"""The original platform's name. It stands in the URLs that a caller's own `request=` function is given. This
library never sends anything there."""

HISTORIC_WS_HOST = "ws.flowthings.io"

NO_HOST = (
    "this API knows no platform, so nothing was sent; write API(…, host='flows.example.com'), or set "
    "defaults.host, the variable FLOWTHINGS_HOST or 'host' in the profile that API.connect() reads, "
    "or use API.embedded(folder), which needs no host"
)
NO_WS_HOST = (
    "this API knows no host for WebSockets; write API(…, ws_host='flows.example.com'), or set "
    "defaults.ws_host, the variable FLOWTHINGS_WS_HOST or 'ws_host' in the profile that API.connect() reads"
)

_ADVICE = (
    ". Give a name with an optional port, such as 'flows.example.com:8080', "
    "and secure=False for http instead of https"
)
_PARTS = re.compile(r"(?:\[(?P<address>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[^:]*))?")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_LONGEST_NAME = 253
_LONGEST_LABEL = 63


def find_host(name: str, given: Any, default: Any) -> str | None:
    """Find a host: the argument, else the default, else the variable FLOWTHINGS_<NAME>, else None.

    Args:
        name: the option, "host" or "ws_host".
        given: the argument, or None.
        default: of `defaults`, or None.

    Raises:
        ConfigurationError: it cannot be a host.
    """
    variable = f"FLOWTHINGS_{name.upper()}"
    places = (name, given), (f"defaults.{name}", default), (variable, os.environ.get(variable) or None)
    return next((check_host(place, host) for place, host in places if host is not None), None)


def check_host(name: str, host: Any, advice: str = _ADVICE) -> str:
    """Check a host: a name or an address, with an optional port.

    Args:
        name: the option or variable that gave it, for the error.
        advice: the end of the error, which says what to write.

    Raises:
        ConfigurationError: it is something else: a URL, a port beyond 65535, a label that DNS does not know.
    """
    try:
        _check(host)
    except ValueError as fault:
        # A URL may hold a password.
        shown = host.rpartition("@")[2] if isinstance(host, str) else host
        raise ConfigurationError(f"{name} is {shown!r}: {fault}{advice}") from None
    return str(host)


def _check(host: Any) -> None:
    if isinstance(host, str) and (fault := _fault_of_url(host)):
        raise ValueError(fault)
    parts = _PARTS.fullmatch(host) if isinstance(host, str) else None
    if parts is None:
        raise ValueError("that is neither a name nor an address")
    port = parts["port"]
    if port is not None and not (
        port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535
    ):
        raise ValueError("a port is a number from 1 to 65535")
    if parts["address"] is not None:
        try:
            IPv6Address(parts["address"])
        except AddressValueError:
            raise ValueError(f"{parts['address']!r} is no IPv6 address") from None
    elif fault := _fault_of_name(parts["name"]):
        raise ValueError(fault)


def _fault_of_url(host: str) -> str | None:
    """Why it is a URL, or part of one; None if it is not."""
    if "://" in host:
        return "leave out the scheme, that is all before and with '://'"
    if "@" in host:
        return "leave out the user and '@'"
    if "/" in host:
        return "leave out the path, that is all from '/' on"
    try:
        IPv6Address(host)
    except AddressValueError:
        return None
    return f"write an IPv6 address in brackets, '[{host}]'"


def _fault_of_name(name: str) -> str | None:
    if not name:
        return "the name is empty"
    if not name.isascii():
        try:
            return f"write {name.encode('idna').decode()!r}, as DNS does"
        except UnicodeError:
            return "DNS knows ASCII names only"
    labels = name.removesuffix(".").split(".")
    if labels[-1].isdigit():
        try:
            IPv4Address(name)
        except AddressValueError:
            return f"{name!r} is no IPv4 address"
        return None
    if len(name) > _LONGEST_NAME:
        return f"a name has at most {_LONGEST_NAME} characters, this one {len(name)}"
    for label in labels:
        if not label:
            return "there is an empty label between two dots"
        if len(label) > _LONGEST_LABEL:
            return f"a label has at most {_LONGEST_LABEL} characters, {label[:10]!r}… has {len(label)}"
        if not _LABEL.fullmatch(label):
            return f"{label!r} is no label of a name"
    return None

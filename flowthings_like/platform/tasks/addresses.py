"""Decides which addresses a task may connect to.

A task's URL is chosen by a user and fetched by the platform, which may reach machines that the user cannot:
its own ports, its private network, a cloud's metadata service. So an address must be a public one, or lie in
a network that the operator allows. The caller connects to the address that was checked, not to the name: the
name could lead elsewhere at the next look-up.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import NamedTuple

from ..problems import BadRequest, Problem

__all__ = ["AddressRules", "ForbiddenAddress", "Resolved", "UnknownHost"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Addresses in these networks stand for an IPv4 address, in their last four bytes.
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96")
# Not for the public, and global to some versions of ipaddress.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "100::/64", "2001::/23", "fec0::/10")
)


class ForbiddenAddress(Problem):
    """The task names a machine that tasks may not connect to."""

    status = 403


class UnknownHost(Problem):
    """The name service knows no address of the host, or did not answer."""

    status = 502


class Resolved(NamedTuple):
    """An address that may be connected to."""

    family: int
    sockaddr: tuple[str, int]


class AddressRules:
    """Which addresses tasks may connect to: public ones, and those in networks that the operator allows.

    Args:
        allowed: networks such as "127.0.0.1/32" or "10.0.0.0/8", or single addresses.

    Raises:
        BadRequest: one of them is no network.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = tuple(_network(each) for each in allowed)

    def permits(self, address: str) -> bool:
        """Whether tasks may connect to an address, written in digits."""
        try:
            # What is shown as an address of a link (fe80::1%eth0) is no public one.
            given = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        meant = _embedded(given)
        return any(meant in network or given in network for network in self._allowed) or _is_public(meant)

    def resolve(self, host: str, port: int) -> list[Resolved]:
        """Look up a host's addresses and check all of them.

        Args:
            host: a name, or an address.

        Raises:
            ForbiddenAddress: one of its addresses is not permitted.
            UnknownHost: it has none.
        """
        try:
            found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "it cannot be a name"
            raise UnknownHost(f"no address of {host} is known: {reason}") from error
        addresses = [
            Resolved(family, (str(sockaddr[0]), port))
            for family, _, _, _, sockaddr in found
            if family in (socket.AF_INET, socket.AF_INET6)
        ]
        for address in addresses:
            if not self.permits(address.sockaddr[0]):
                # The address is not told: a user could explore the names of a private network.
                raise ForbiddenAddress(
                    f"tasks may not connect to {host}: its address is not public, and the platform's "
                    "operator has not allowed it"
                )
        if not addresses:
            raise UnknownHost(f"no address of {host} is known")
        return list(dict.fromkeys(addresses))


def _network(text: str) -> IPNetwork:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise BadRequest(f"{text!r} is no network: write 127.0.0.1, 10.0.0.0/8 or fd00::/8") from error


def _embedded(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 address stands for; otherwise the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if int(address) > 1 and any(address in network for network in _TRANSLATED):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: IPAddress) -> bool:
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_unspecified)
        and not any(address in network for network in _NOT_PUBLIC)
    )

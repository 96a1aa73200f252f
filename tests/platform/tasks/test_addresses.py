"""Which addresses tasks may connect to."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from flowthings_like.platform.problems import BadRequest
from flowthings_like.platform.tasks.addresses import AddressRules, ForbiddenAddress, Resolved, UnknownHost

PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "192.0.0.8", "198.18.0.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "fec0::1"),
    *("2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::808:808"),
    *("2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "::7f00:1", "no address"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    assert AddressRules().permits(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_other_addresses_are_not(address: str) -> None:
    assert not AddressRules().permits(address)


def test_the_operator_may_allow_networks() -> None:
    rules = AddressRules(["10.1.0.0/16", "fd00::/8", "127.0.0.1"])
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd12::1", "127.0.0.1", "8.8.8.8"):
        assert rules.permits(address)
    for address in ("10.2.0.1", "127.0.0.2", "::1"):
        assert not rules.permits(address)
    with pytest.raises(BadRequest, match="is no network"):
        AddressRules(["example.com"])


def answering(*addresses: str) -> Any:
    def getaddrinfo(host: str, port: int, *_: Any) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in addresses
        ]

    return getaddrinfo


def test_all_addresses_of_a_name_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering("8.8.8.8", "8.8.8.8", "2606:4700::1111"))
    assert AddressRules().resolve("example.com", 80) == [
        Resolved(socket.AF_INET, ("8.8.8.8", 80)),
        Resolved(socket.AF_INET6, ("2606:4700::1111", 80)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", answering("8.8.8.8", "10.0.0.1"))
    with pytest.raises(ForbiddenAddress, match="tasks may not connect") as caught:
        AddressRules().resolve("example.com", 80)
    assert "10.0.0.1" not in caught.value.message
    monkeypatch.setattr(socket, "getaddrinfo", answering())
    with pytest.raises(UnknownHost):
        AddressRules().resolve("example.com", 80)

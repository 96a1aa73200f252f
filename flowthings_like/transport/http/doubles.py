"""Test doubles: where one has taken the place of what requests sends through, calls must go through it."""

from __future__ import annotations

import http.client

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

__all__ = ["is_replaced"]


def is_replaced() -> bool:
    """Whether something of requests, urllib3 or http.client is not their own, now.

    `responses` replaces HTTPAdapter.send, requests_mock Session.get_adapter or send, vcrpy the connection
    classes. Each names another module as its home than what it stands in for.
    """
    return (
        HTTPAdapter.send.__module__ != "requests.adapters"
        or requests.Session.get_adapter.__module__ != "requests.sessions"
        or requests.Session.send.__module__ != "requests.sessions"
        or http.client.HTTPConnection.__module__ != "http.client"
        or HTTPConnectionPool.ConnectionCls.__module__ != "urllib3.connection"
    )

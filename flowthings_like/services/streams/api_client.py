"""The client of an API: `api.stream`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...errors import ConfigurationError
from .client import Client
from .endpoints import Endpoint, parse_endpoint

__all__ = ["open_client", "server_of"]


def open_client(url: str | None, key: str | None, platform: Any, connection: Any) -> Client:
    """Make the client of an API.

    Args:
        url, key, platform: as for `server_of`.
        connection: what the services of the API share, with its credentials and options.
    """
    allowed = connection.timeout
    client = Client._of(
        server_of(url, key, platform, lambda: connection.creds, connection.verify_ssl),
        timeout=allowed.read if allowed.total is None else allowed.total,
        retry=connection.retry,
        async_lib=lambda: connection.async_lib,
    )
    if connection.closed:
        client.close()
    return client


def server_of(
    url: str | None, key: str | None, platform: Any, account: Callable[[], Any], verify: bool | str = True
) -> Callable[[], Endpoint]:
    """Returns the function that a client calls for its endpoint before each attempt to connect.

    Args:
        url: of a server, or None.
        key: the API key. Without one, here or in the URL, it is the account's token.
        platform: an embedded platform, whose own store is used if there is no URL; or None.
        account: the account's Token, or an object like it.
        verify: for an encrypted server: True, False, or the path of a bundle of authorities.

    Raises:
        ConfigurationError: the URL is not valid. The function raises it if there is neither URL nor
            platform.
    """
    if url is not None:
        endpoint = parse_endpoint(url, key)
        if endpoint.tls and verify is not True:
            endpoint = replace(endpoint, tls=_context(verify))
        return lambda: endpoint if endpoint.key else replace(endpoint, key=account().token)

    def embedded() -> Endpoint:
        if platform is None:
            raise ConfigurationError(
                "this API knows no BTrDB server; write API(…, streams='grpcs://host:4411', streams_key='…'), "
                "or set 'streams' in the profile or FLOWTHINGS_STREAMS, or use API.embedded(…), which has one"
            )
        host, port, found = platform.streams_address()
        return Endpoint(host, port, False, found)

    return embedded


def _context(verify: bool | str) -> Any:
    if isinstance(verify, str):
        return verify
    from ...transport.tls import client_context  # it brings in ssl, which may still be patched

    return client_context(verify, ("h2",))

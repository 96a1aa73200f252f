"""The ThingsDB nodes that an API's `things` connects to, with the credentials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ...errors import ConfigurationError
from ...transport.things.endpoints import Endpoint, parse_endpoint

__all__ = ["nodes_of"]


def nodes_of(url: str | None, platform: Any, account: Callable[[], Any]) -> Callable[[], Sequence[Endpoint]]:
    """Returns the function that a client calls for its nodes before each attempt to connect.

    Args:
        url: of a node, or None. If there is no user in it, the account and its token authenticate.
        platform: an embedded platform, whose own node is used if there is no URL; or None.
        account: the account's Token, or an object like it.

    Raises:
        ConfigurationError: the URL is not valid. The function raises it if there is neither URL nor
            platform.
    """
    if url is not None:
        node = parse_endpoint(url)

        def named() -> list[Endpoint]:
            token = account()
            return [node if node.auth else replace(node, user=token.account, password=token.token)]

        return named

    def embedded() -> list[Endpoint]:
        if platform is None:
            raise ConfigurationError(
                "this API knows no ThingsDB node; write API(…, things='things://host:9200'), or set 'things' "
                "in the profile or FLOWTHINGS_THINGS, or use API.embedded(…), which has one"
            )
        return [parse_endpoint(each) for each in platform.things_endpoints()]

    return embedded

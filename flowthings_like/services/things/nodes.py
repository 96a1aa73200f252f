"""Which ThingsDB nodes an API's `things` connects to, and as whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import ConfigurationError
from ...transport.things.endpoints import Endpoint, parse_endpoint

if TYPE_CHECKING:
    from ...transport.http.client import Connection

__all__ = ["nodes_of"]


def nodes_of(url: str | None, platform: Any, connection: Connection) -> Callable[[], Sequence[Endpoint]]:
    """What a client asks before each attempt to connect.

    Args:
        url: of a node, or None. Where it says nobody, the account and its token ask.
        platform: an embedded platform, whose own node is meant without a URL; or None.
        connection: says who the account is.

    Raises:
        ConfigurationError: the URL cannot be one. And, when asked: there is neither of the two.
    """
    if url is not None:
        node = parse_endpoint(url)

        def named() -> list[Endpoint]:
            creds = connection.creds
            return [node if node.auth else replace(node, user=creds.account, password=creds.token)]

        return named

    def embedded() -> list[Endpoint]:
        if platform is None:
            raise ConfigurationError(
                "this API knows no ThingsDB node; write API(…, things='things://host:9200'), or set 'things' "
                "in the profile or FLOWTHINGS_THINGS, or use API.embedded(…), which has one"
            )
        return [parse_endpoint(each) for each in platform.things_endpoints()]

    return embedded

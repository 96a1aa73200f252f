"""The requests of live messages that are answered like requests over HTTP: creates, finds, updates, deletes.

Clients differ in how they name a drop. All forms that a client of the original platform has sent are taken:
`id: [flow, drop]`; `flowId` and `id`; `path` in the message or in its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..problems import BadRequest

__all__ = ["RestCall", "flow_of", "rest_call"]

_TYPES = ("create", "find", "findmany", "update", "delete", "subscribe", "unsubscribe", "heartbeat")
_OPTIONS = {"skip": "start"}


class RestCall(NamedTuple):
    """A request over HTTP: the method, what follows the account in its path, parameters and body."""

    method: str
    resource: str
    rest: tuple[str, ...] = ()
    params: Mapping[str, Any] | None = None
    body: Any = None


def rest_call(message: Mapping[str, Any]) -> RestCall:
    """The request that a message stands for.

    Raises:
        BadRequest: it says too little, or asks for something unknown.
    """
    verb, name = message.get("type"), message.get("object", "drop")
    if not isinstance(name, str) or not name or "/" in name:
        raise BadRequest(f'object must be the name of a resource, such as "drop", not {name!r}')
    resource = name.replace("_", "-")
    where = _drop_at(message) if resource == "drop" else _object_at(message)
    value = message.get("value")
    if verb == "create":
        # A drop's value may repeat where it goes; a flow's value has its path.
        return RestCall("POST", resource, where[:1] if resource == "drop" else (), body=value)
    if verb == "findmany":
        return RestCall("GET", resource, where[:1] if resource == "drop" else (), _params(message))
    if verb not in ("find", "update", "delete"):
        raise BadRequest(f"there is no request of type {verb!r}: there are {', '.join(_TYPES)}")
    if len(where) != (2 if resource == "drop" else 1):
        raise BadRequest(f'id is required: the {name} to {verb}, for a drop {{"flowId": …, "id": …}}')
    if verb == "update":
        return RestCall("PUT", resource, where, body=value)
    return RestCall("GET" if verb == "find" else "DELETE", resource, where, _params(message))


def flow_of(message: Mapping[str, Any]) -> str:
    """The id or path of the flow that a message is about. Raises BadRequest if it names none."""
    flow = message.get("flowId") or message.get("path")
    if not isinstance(flow, str):
        raise BadRequest("flowId or path is required: the flow's id, or its path such as /account/weather")
    return flow


def _drop_at(message: Mapping[str, Any]) -> tuple[str, ...]:
    id, value = message.get("id"), message.get("value")
    if isinstance(id, list):
        flow, drop = id if len(id) == 2 else (None, None)
    else:
        flow, drop = message.get("flowId") or message.get("path"), id
    if flow is None and isinstance(value, Mapping):
        flow = value.get("flowId") or value.get("path")
    if not isinstance(flow, str) or not (drop is None or isinstance(drop, str)):
        raise BadRequest('flowId or path is required; a drop is {"flowId": …, "id": …} or id: [flow, drop]')
    return (flow,) if drop is None else (flow, drop)


def _object_at(message: Mapping[str, Any]) -> tuple[str, ...]:
    id = message.get("id")
    if isinstance(id, list) and len(id) == 1:
        (id,) = id
    return (id,) if isinstance(id, str) else ()


def _params(message: Mapping[str, Any]) -> dict[str, str]:
    """The options of a find as parameters of a query. Values may be texts, numbers or booleans."""
    options = message.get("options")
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise BadRequest('options must be a map such as {"limit": 10}')
    params = {}
    for name, value in options.items():
        if isinstance(value, bool):
            value = "1" if value else "0"
        elif isinstance(value, list):
            value = ",".join(map(str, value))
        if value is not None:
            params[_OPTIONS.get(name, str(name))] = str(value)
    return params

"""Tasks: work that the real platform does by the clock or for a broker. Here they are checked and stored, not
run.

Three kinds: `api-task` polls an HTTP API, `rss` a feed, `mqtt` follows or feeds a topic of the user's broker.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..problems import BadRequest
from .access import account_paths
from .base.members import Check, checked, filled, flag, integer, mapping, one_of, text
from .base.verbs import Document, Kind

if TYPE_CHECKING:
    from .access.rights import Caller

HOUR = 3_600_000  # ms
MINUTE = 60_000  # ms
_YEARS = 10 * 365 * 24 * HOUR

_PERIODIC: dict[str, Check] = {
    "periodicity": integer(MINUTE, _YEARS),
    "displayName": text(2048),
    "description": text(),
    "disabled": flag,
}


def _check_api(caller: Caller, document: Document) -> Document:
    task = checked(document, _OF_API_TASKS, required=["destination"])
    if "js" not in task and "source" not in task:
        raise BadRequest("js is required: the task's request and callback (or a declarative source)")
    account_paths.check(task["destination"], caller.account, "destination")
    task.setdefault("periodicity", HOUR)
    return task


def _check_rss(caller: Caller, document: Document) -> Document:
    task = checked(document, _OF_RSS, required=["destination", "url"])
    account_paths.check(task["destination"], caller.account, "destination")
    task.setdefault("periodicity", HOUR)
    return task


def _check_mqtt(caller: Caller, document: Document) -> Document:
    task = checked(document, _OF_MQTT, required=["uri"])
    ends = [name for name in ("destination", "source") if name in task]
    if len(ends) != 1:
        raise BadRequest("an mqtt task has exactly one of destination (messages become drops) and source")
    account_paths.check(task[ends[0]], caller.account, ends[0])
    task.setdefault("version", "3.1.1")
    task.setdefault("reportFrequency", 5 * MINUTE)
    return task


def _http(name: str, value: Any) -> str:
    """An http or https URL with a host."""
    url = _split(value)
    if url is None or url.scheme not in ("http", "https") or not url.hostname:
        raise BadRequest(f"{name} must be a URL such as https://example.com/feed.xml")
    return str(value)


def _broker(name: str, value: Any) -> str:
    """A broker's address."""
    url = _split(value)
    if url is None or not re.fullmatch(r"(tcp|ssl)://[^/@\s]+:[0-9]+", str(value)):
        raise BadRequest(f"{name} must be a broker's address, tcp://host:port")
    return str(value)


def _split(value: Any) -> Any:
    try:
        url = urlsplit(value) if isinstance(value, str) else None
        return url if url is None or url.port is None or url.port > 0 else None
    except ValueError:
        return None


_OF_API_TASKS: dict[str, Check] = {**_PERIODIC, "js": filled(200_000), "source": mapping}
_OF_RSS: dict[str, Check] = {
    **_PERIODIC,
    **{name: text() for name in ("category", "icon", "favicon")},
    "url": _http,
    "isFeatured": flag,
}
_OF_MQTT: dict[str, Check] = {
    **{name: text() for name in ("topic", "username", "password", "clientId", "displayName", "description")},
    "uri": _broker,
    "qos": integer(0, 2),
    "version": one_of("3.1", "3.1.1"),
    "reportFrequency": integer(MINUTE, _YEARS),
    "disabled": flag,
}

API_TASK = Kind(
    "api-task", "q", check=_check_api, members=frozenset(_OF_API_TASKS), path_members=("destination",)
)
RSS = Kind("rss", "r", check=_check_rss, members=frozenset(_OF_RSS), path_members=("destination",))
MQTT = Kind(
    "mqtt", "m", check=_check_mqtt, members=frozenset(_OF_MQTT), path_members=("destination", "source")
)

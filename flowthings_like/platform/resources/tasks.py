"""Tasks: work that the platform does on a schedule or for a broker. Here they are validated and stored; what
runs them is in platform/tasks/.

Three kinds: `api-task` polls an HTTP API, `rss` a feed, `mqtt` follows or feeds a topic of the user's broker.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..json_schema import Check, accepts
from ..problems import BadRequest
from . import broker_tasks, task_schedule
from .base.members import flag, integer, one_of, text
from .base.resource import Document, Resource
from .task_scripts import check_script, simulate, source_text
from .task_sources import check_source

if TYPE_CHECKING:
    from .access.rights import Caller

HOUR = 3_600_000  # ms
MINUTE = 60_000  # ms
_URL = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s\x00-\x20\x7f]+$"
_BROKER = r"^(tcp|ssl)://[^/@\s]+:[0-9]+$"
_YEARS = 10 * 365 * 24 * HOUR

_TOPIC = re.compile(r"[^+#\0]+")
_TOPICS = re.compile(r"(#|(\+|[^+#/\0]*)(/(\+|[^+#/\0]*))*(/#)?)")

_PERIODIC: dict[str, Check] = {
    "periodicity": integer(MINUTE, _YEARS),
    "displayName": text(2048),
    "description": text(),
    "disabled": flag,
}


def _scheduled(name: str, actions: dict[str, Any]) -> dict[str, Any]:
    """What the declaration of a task that runs periodically has besides: its schedule, and `run`."""
    return {
        "readonly": task_schedule.SET_BY_RUNS,
        "before_write": task_schedule.before_write,
        "after_create": task_schedule.after_create,
        "after_delete": task_schedule.after_delete,
        "actions": {**actions, "run": partial(task_schedule.run_now, name)},
    }


def _check_api(_caller: Caller, task: Document) -> Document:
    if "js" not in task and "source" not in task:
        raise BadRequest("js is required: the task's request and callback (or a declarative source)")
    if "js" in task and "source" in task:
        raise BadRequest("a task has js or a source, not both: set the other one to null")
    return task


def _check_mqtt(caller: Caller, task: Document) -> Document:
    if len([name for name in ("destination", "source") if name in task]) != 1:
        raise BadRequest("an mqtt task has exactly one of destination (messages become drops) and source")
    topic = task.get("topic")
    if "destination" in task:
        caller.require(task["destination"], "dropWrite")
        if not topic:
            raise BadRequest("topic is required: what to subscribe to, such as weather/+/temp")
        if not _TOPICS.fullmatch(topic):
            raise BadRequest(
                "topic must be such as weather/+/temp or weather/#: + and # stand for whole levels"
            )
    else:
        caller.require(task["source"], "dropRead")
        if topic and not _TOPIC.fullmatch(topic):
            raise BadRequest("topic must have no + and no #: it is one topic to publish to")
    return task


@accepts(
    {
        "type": "string",
        "pattern": _URL,
        "description": "an http or https URL with a host",
    }
)
def _http(name: str, value: Any) -> str:
    """An http or https URL with a host."""
    url = _split(value)
    # urlsplit removes blanks and control characters, at the ends and within.
    if (
        url is None
        or not re.fullmatch(_URL, value)
        or url.scheme not in ("http", "https")
        or not url.hostname
    ):
        raise BadRequest(f"{name} must be a URL such as https://example.com/feed.xml")
    return str(value)


@accepts(
    {"type": "string", "pattern": _BROKER, "description": "a broker, tcp://host:port or ssl://host:port"}
)
def _broker(name: str, value: Any) -> str:
    """A broker's address."""
    url = _split(value)
    if url is None or not re.fullmatch(_BROKER, str(value)):
        raise BadRequest(f"{name} must be a broker's address, tcp://host:port")
    return str(value)


def _split(value: Any) -> Any:
    try:
        url = urlsplit(value) if isinstance(value, str) else None
        return url if url is None or url.port is None or url.port > 0 else None
    except ValueError:
        return None


API_TASK = Resource(
    "api-task",
    "q",
    members={**_PERIODIC, "js": source_text, "source": check_source},
    required=("destination",),
    defaults={"periodicity": HOUR},
    path_members=("destination",),
    check=_check_api,
    before_transaction=check_script,
    **_scheduled("api-task", {"simulate": simulate}),
)

RSS = Resource(
    "rss",
    "r",
    members={
        **_PERIODIC,
        **{name: text() for name in ("category", "icon", "favicon")},
        "url": _http,
        "isFeatured": flag,
    },
    required=("destination", "url"),
    defaults={"periodicity": HOUR},
    path_members=("destination",),
    **_scheduled("rss", {}),
)

MQTT = Resource(
    "mqtt",
    "m",
    members={
        **{name: text() for name in ("topic", "username", "password", "clientId", "displayName")},
        "description": text(),
        "uri": _broker,
        "qos": integer(0, 2),
        "version": one_of("3.1", "3.1.1"),
        "reportFrequency": integer(MINUTE, _YEARS),
        "disabled": flag,
    },
    required=("uri",),
    defaults={"version": "3.1.1", "reportFrequency": 5 * MINUTE},
    path_members=("destination", "source"),
    readonly=broker_tasks.SET_BY_PLATFORM,
    check=_check_mqtt,
    before_write=broker_tasks.before_write,
    after_create=broker_tasks.after_create,
    after_delete=broker_tasks.after_delete,
    present=broker_tasks.without_password,
)

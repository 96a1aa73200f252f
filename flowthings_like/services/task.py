"""Tasks that bring data in, or out, on the platform's own clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .resource import FullService

__all__ = ["APITaskService", "MQTTTaskService", "RSSTaskService"]


class APITaskService(FullService):
    """`api.api_task`. Calls an HTTP API every `periodicity` milliseconds; needs `destination` and `js`."""

    path = "/api-task"

    def simulate(self, task: Mapping[str, Any], **params: Any) -> Any:
        """Run a task once without storing anything: a dict of `drops`, `log` and `errors`."""
        return self._call("POST", "/simulate", task, params)


class MQTTTaskService(FullService):
    """`api.mqtt_task`. Connects a flow and an MQTT broker (`uri`, and one of `source` and `destination`)."""

    path = "/mqtt"


class RSSTaskService(FullService):
    """`api.rss_task`. Reads the feed at `url` into `destination`."""

    path = "/rss"

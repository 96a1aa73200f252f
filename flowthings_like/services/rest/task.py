"""Tasks: jobs that the platform runs to import or export data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .resource import Resource
from .writing import FullService

if TYPE_CHECKING:
    from .arguments import Model
    from .track import Simulation

__all__ = [
    "APITask",
    "APITaskService",
    "MQTTTask",
    "MQTTTaskService",
    "RSSTask",
    "RSSTaskService",
    "Task",
]


class Task(Resource, total=False):
    """The members that every task has."""

    destination: str
    displayName: str
    description: str
    disabled: bool
    lastRun: int
    nextRun: int
    runCt: int
    status: str
    statusMessage: str
    reportFlowId: str
    reportPath: str


class APITask(Task, total=False):
    """An API task, as `api.api_task` returns it."""

    periodicity: int
    js: str
    source: dict[str, Any]


class MQTTTask(Task, total=False):
    """An MQTT task, as `api.mqtt_task` returns it."""

    uri: str
    topic: str
    source: str
    qos: int
    version: str
    username: str
    clientId: str
    reportFrequency: int


class RSSTask(Task, total=False):
    """An RSS task, as `api.rss_task` returns it."""

    url: str
    periodicity: int
    category: str
    icon: str
    favicon: str
    isFeatured: bool


class APITaskService(FullService[APITask]):
    """`api.api_task`. Calls an HTTP API every `periodicity` milliseconds; needs `destination` and `js`."""

    name = "api_task"
    path = "/api-task"

    def run(self, id: str, **params: Any) -> APITask:
        """Run a task now. The process that runs the tasks does so within a second.

        Returns:
            the task. Its `lastRun` changes when it has run.
        """
        task: APITask = self._call("POST", "/run", {"id": id}, params)
        return task

    def simulate(self, task: Model, **params: Any) -> Simulation:
        """Run a task's script once without storing anything: a dict of `drops`, `log` and `errors`.

        Args:
            task: the task, with `js`. The embedded platform fetches nothing: give the response to run the
                callback on as `text`. The result then says as `request` what the task would ask for.
        """
        simulated: Simulation = self._call("POST", "/simulate", task, params)
        return simulated


class MQTTTaskService(FullService[MQTTTask]):
    """`api.mqtt_task`. Connects a flow to an MQTT broker. Needs `uri`, and `source` or `destination`."""

    name = "mqtt_task"
    path = "/mqtt"


class RSSTaskService(FullService[RSSTask]):
    """`api.rss_task`. Reads the feed at `url` into `destination`."""

    name = "rss_task"
    path = "/rss"

    def run(self, id: str, **params: Any) -> RSSTask:
        """Read the feed now, whenever it would be read next: see `APITaskService.run`."""
        task: RSSTask = self._call("POST", "/run", {"id": id}, params)
        return task

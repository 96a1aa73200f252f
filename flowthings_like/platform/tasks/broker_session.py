"""Runs one MQTT task: keeps its connection, makes drops of messages or messages of drops, and reports."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from ...green.backends import choice as backend
from ..problems import Problem, Unavailable
from ..resources.access.rights import Caller
from ..resources.broker_tasks import new_arrivals, note_published, note_status
from ..resources.drops import verbs as drop_verbs
from ..resources.task_schedule import Status
from .broker_client import BrokerClient
from .fetch import FetchFailed
from .reports import report

if TYPE_CHECKING:
    import ssl

    from ..resources.broker_tasks import BrokerTask
    from ..resources.drops.resource_store import ResourceStore
    from .addresses import AddressRules

__all__ = ["BrokerSession"]

STEP = 0.25
"""Seconds between two looks at new drops, and at whether the session is to end."""

MOST_AT_ONCE = 100
"""Most drops that are published before the broker has confirmed them."""

PUBLISH_SECONDS = 30.0
"""How long the broker may take to confirm them."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
"""Seconds from a lost connection to the next attempt: the first, doubled each time, up to the longest."""

CHANGE_INTERVAL = 1.0
"""Least seconds between two changes of the status while the connection is there."""

_log = logging.getLogger("flowthings_like.platform.tasks")


class BrokerSession:
    """One MQTT task, from `run` until `stop`.

    Args:
        store: where its flow is.
        rules: which addresses it may connect to.
        tls: makes the TLS settings for ssl:// addresses.
        task: what to do.
    """

    def __init__(
        self,
        store: ResourceStore,
        rules: AddressRules,
        tls: Callable[[], ssl.SSLContext],
        task: BrokerTask,
    ) -> None:
        here = backend.detect()
        self.task = task
        self._store = store
        self._rules = rules
        self._tls = tls
        self._owner = Caller(task.account, task.body["creatorId"])
        self._is_stopped = here.event()
        self.ended = here.event()
        self._count = 0
        self._refused = ""
        self._shown: tuple[Status, str] | None = None
        self._change_at = 0.0
        self._report_at = 0.0

    def stop(self) -> None:
        """Have `run` return soon; `ended` is set when it has."""
        self._is_stopped.set()

    def run(self) -> None:
        """Connect, and again after each loss, until stopped."""
        try:
            self._stay_connected()
        except Exception:
            _log.exception("mqtt %s is not run any more", self.task.id)
        finally:
            self.ended.set()

    def _stay_connected(self) -> None:
        wait = FIRST_WAIT
        while not self._is_stopped.is_set():
            began = time.monotonic()
            client = BrokerClient(self._rules, self._tls, self.task, self._create)
            try:
                self._work(client)
            except (OSError, RuntimeError, ValueError, Problem) as error:
                self._failed(error)
            finally:
                client.disconnect()
                client._sock_close()
            if time.monotonic() - began > LONGEST_WAIT:
                wait = FIRST_WAIT
            if not self._is_stopped.wait(wait):
                wait = min(wait * 2, LONGEST_WAIT)

    def _work(self, client: BrokerClient) -> None:
        client.open()
        deadline = time.monotonic() + PUBLISH_SECONDS
        has_more = False
        while not self._is_stopped.is_set():
            client.step(0.0 if has_more else STEP)
            if client.is_ready:
                has_more = "source" in self.task.body and self._publish(client)
                self._show_state()
            elif time.monotonic() > deadline:
                raise FetchFailed(f"the broker says nothing for {PUBLISH_SECONDS:g} s")

    def _create(self, payload: bytes) -> None:
        """Make a drop of a message; it is on disk when this returns, and only then the broker is told."""
        try:
            model = orjson.loads(payload)
            drop_verbs.create(self._store, self._owner, self.task.body["destination"], model)
            self._count += 1
            self._refused = ""
        except Unavailable:
            raise
        except ValueError:
            self._refused = 'a message is no JSON: a drop is such as {"elems": {"temp": 39}}'
        except Problem as problem:
            self._refused = f"a message was refused: {problem.message}"

    def _publish(self, client: BrokerClient) -> bool:
        """Publish what has arrived in the source, and note it when the broker has confirmed it.

        Returns:
            whether there may be more.
        """
        task = self.task
        found = self._store.read(lambda connection: new_arrivals(connection, task, MOST_AT_ONCE))
        if found is None:
            self._refused = f"there is no flow {task.body['source']}"
            return False
        if not found.drops:
            return False
        topic, qos = task.body.get("topic") or task.body["source"].lstrip("/"), task.body.get("qos", 0)
        sent = [client.publish(topic, orjson.dumps(drop), qos) for drop in found.drops]
        deadline = time.monotonic() + PUBLISH_SECONDS
        while not all(each.is_published() for each in sent):
            client.step(STEP)
            if time.monotonic() > deadline:
                raise FetchFailed(f"the broker confirms nothing for {PUBLISH_SECONDS:g} s")
        self._store.write(lambda connection: note_published(connection, task, found.last))
        self._count += len(sent)
        self._refused = ""
        return len(sent) == MOST_AT_ONCE

    def _failed(self, error: Exception) -> None:
        if self._is_stopped.is_set():
            return
        if isinstance(error, TimeoutError):
            self._note(Status.TIMEOUT, "the broker does not answer")
        elif isinstance(error, Problem):
            self._note(Status.ERROR, error.message)
        else:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self._note(Status.ERROR, f"the broker cannot be reached: {reason}")

    def _show_state(self) -> None:
        """Write the status and a report, when it is another one and every `reportFrequency` ms.

        The status is that of the last message: what was refused, or OK.
        """
        now = time.monotonic()
        status = Status.ERROR if self._refused else Status.OK
        is_another = (status, self._refused) != self._shown and now >= self._change_at
        if is_another or now >= self._report_at:
            self._change_at = now + CHANGE_INTERVAL
            self._report_at = now + self.task.body["reportFrequency"] / 1000
            self._note(status, self._refused)

    def _note(self, status: Status, message: str) -> None:
        elems: dict[str, Any] = {"status": status.value, "drops": self._count}
        if message:
            elems["message"] = message
        try:
            flow = report(self._store, self._owner, self.task.id, elems)
            self._store.write(
                lambda connection: note_status(connection, self.task, status.value, message, flow)
            )
        except Problem as problem:
            _log.warning("the status of mqtt %s is not written: %s", self.task.id, problem.message)
        else:
            self._count = 0
            self._shown = status, message

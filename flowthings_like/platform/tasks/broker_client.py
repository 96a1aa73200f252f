"""A connection to an MQTT broker: paho's client, over permitted addresses, with bounded messages."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from .fetch import FetchFailed

if TYPE_CHECKING:
    from ..resources.broker_tasks import BrokerTask
    from .addresses import AddressRules

__all__ = ["LARGEST_MESSAGE", "BrokerClient"]

LARGEST_MESSAGE = 2 << 20
"""Most bytes of one message."""

CONNECT_SECONDS = 10.0
"""How long the broker may take to accept a connection."""

KEEP_ALIVE = 30
"""Seconds of silence after which the connection is checked."""

_LONGEST_OLD_ID = 23
"""Most characters of a client's id in MQTT 3.1."""


class BrokerClient(mqtt.Client):
    """The connection of one task. The caller runs its loop; every callback is called within that.

    Args:
        rules: which addresses it may connect to.
        tls: makes the TLS settings for ssl:// addresses.
        task: whose connection it is.
        on_payload: called with each message, before the broker is told that it has come.
    """

    def __init__(
        self,
        rules: AddressRules,
        tls: Callable[[], ssl.SSLContext],
        task: BrokerTask,
        on_payload: Callable[[bytes], None],
    ) -> None:
        body = task.body
        url = urlsplit(body["uri"])
        old = body.get("version") == "3.1"
        self._rules = rules
        self._where = url.hostname or "", url.port or 0
        self._qos = body.get("qos", 0)
        self._wanted = body.get("topic") if "destination" in body else None
        self._on_payload = on_payload
        self.failure = ""
        self.is_ready = False
        name = body.get("clientId") or task.id[: _LONGEST_OLD_ID if old else None]
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=not self._qos,  # otherwise the broker keeps what comes while we are away
            protocol=mqtt.MQTTv31 if old else mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        self.connect_timeout = CONNECT_SECONDS
        if body.get("username"):
            self.username_pw_set(body["username"], body.get("password"))
        if url.scheme == "ssl":
            self.tls_set_context(tls())
        self.on_connect = self._connected
        self.on_subscribe = self._subscribed
        self.on_message = self._received

    def open(self) -> None:
        """Connect. Raises OSError, or Problem where the address is not permitted."""
        self.connect(*self._where, keepalive=KEEP_ALIVE)

    def step(self, seconds: float) -> None:
        """Read and write what there is, waiting for at most so many seconds.

        Raises:
            FetchFailed: the connection is lost, or the broker refuses it.
        """
        code = self.loop(seconds)
        if self.failure:
            raise FetchFailed(self.failure)
        if code != mqtt.MQTT_ERR_SUCCESS:
            raise FetchFailed("the connection to the broker is lost")

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.failure = f"the broker refuses the connection: {reason}"
        elif self._wanted is None:
            self.is_ready = True
        else:
            self.subscribe(self._wanted, self._qos)

    def _subscribed(self, _client: Any, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self.failure = f"the broker refuses the topic {self._wanted}"
        self.is_ready = True

    def _received(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._on_payload(bytes(message.payload))

    def _create_socket_connection(self) -> socket.socket:
        # paho would look the name up itself, and connect to any address.
        failure: OSError | None = None
        for address in self._rules.resolve(*self._where):
            try:
                return socket.create_connection(address.sockaddr, CONNECT_SECONDS)
            except OSError as error:
                failure = error
        raise failure or OSError("the broker has no address")

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._in_packet["remaining_length"] > LARGEST_MESSAGE:
            self.failure = f"a message has more than {LARGEST_MESSAGE} bytes"
            raise ConnectionError(self.failure)
        return super()._sock_recv(bufsize)

"""A RabbitMQ."""

from __future__ import annotations

import secrets
import socket
from urllib.parse import quote

from .address import new_password
from .programs import find_program
from .server import HOST, Server, free_port

__all__ = ["RabbitMQ"]

PACKAGE = "rabbitmq-server"


class RabbitMQ(Server):
    """A RabbitMQ with one user and no guest, which keeps durable queues over `restart`."""

    def __init__(self) -> None:
        super().__init__()
        self.user = "tester"
        self.password = new_password()
        self._names = _Epmd()
        self._erlang_port = free_port()

    @property
    def url(self) -> str:
        """For example amqp://tester:password@127.0.0.1:20001//."""
        return f"amqp://{self.user}:{quote(self.password, safe='')}@{HOST}:{self.port}//"

    def start(self) -> None:
        self._names.start()
        super().start()

    def stop(self) -> None:
        try:
            super().stop()
        finally:
            self._names.stop()

    def prepare(self) -> None:
        settings = {
            "listeners.tcp.1": f"{HOST}:{self.port}",
            "default_user": self.user,
            "default_pass": self.password,
            "disk_free_limit.absolute": "1MB",  # below it, a broker waits for more space
            "log.file": "false",
            "log.console": "true",
            "log.console.level": "warning",
        }
        self.write_file("rabbitmq.conf", "".join(f"{name} = {value}\n" for name, value in settings.items()))
        for name in ("plugins", "advanced.config"):
            self.write_file(name, "[].\n")
        # A program that knows it can run code in the broker.
        self.write_file(".erlang.cookie", secrets.token_hex(16)).chmod(0o400)

    def command(self) -> list[str]:
        # Not Debian's script of that name on the $PATH, which runs the one broker of the machine.
        program = find_program("rabbitmq/bin/rabbitmq-server", PACKAGE, "/usr/lib")
        variables = {
            "RABBITMQ_NODENAME": f"test-{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": self.folder / "rabbitmq.conf",
            # None of the machine's own settings.
            "RABBITMQ_CONFIG_FILES": self.folder / "none",
            "RABBITMQ_ADVANCED_CONFIG_FILE": self.folder / "advanced.config",
            "RABBITMQ_CONF_ENV_FILE": self.folder / "none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "plugins",
            "RABBITMQ_MNESIA_BASE": self.folder / "mnesia",
            "RABBITMQ_LOG_BASE": self.folder / "log",
            "RABBITMQ_DIST_PORT": self._erlang_port,
            "RABBITMQ_ALLOW_INPUT": 1,  # no shell between the broker and what starts it
            "RABBITMQ_SERVER_START_ARGS": "-noinput -kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": self._names.port,
            "ERL_AFLAGS": "-start_epmd false",  # it would be a daemon, which nobody stops
        }
        return ["/usr/bin/env", *(f"{name}={value}" for name, value in variables.items()), program]

    def check(self) -> None:
        with socket.create_connection((HOST, self.port), 10) as sock:
            sock.sendall(b"AMQP\x00\x00\x09\x01")
            answer = sock.recv(64)
        assert answer.startswith(b"\x01\x00\x00"), answer  # a method of channel 0: Connection.Start


class _Epmd(Server):
    """Tells Erlang's programs each other's ports. An Erlang node does not start without it."""

    def command(self) -> list[str]:
        return [find_program("epmd", PACKAGE, "/usr/bin"), "-address", HOST, "-port", str(self.port)]

    def check(self) -> None:
        pass

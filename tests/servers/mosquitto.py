"""A Mosquitto, which is an MQTT broker."""

from __future__ import annotations

import socket
from pathlib import Path

from .address import new_password
from .programs import find_program
from .server import HOST, Server

__all__ = ["Mosquitto"]

PACKAGE = "mosquitto"
CONNECT = bytes.fromhex("101000044d5154540402003c000470726f62")
"""MQTT 3.1.1: a client called "prob" without a password."""


class Mosquitto(Server):
    """A broker that keeps the sessions of its clients over `restart`.

    Args:
        secured: whether clients must send `user` and `password`.
    """

    def __init__(self, secured: bool = False) -> None:
        super().__init__()
        self.user = "tester"
        self.password = new_password()
        self._secured = secured

    @property
    def uri(self) -> str:
        """For example tcp://127.0.0.1:20001."""
        return f"tcp://{HOST}:{self.port}"

    def prepare(self) -> None:
        lines = [
            f"listener {self.port} {HOST}",
            f"allow_anonymous {str(not self._secured).lower()}",
            "persistence true",
            f"persistence_location {self.folder}/",
        ]
        if self._secured:
            passwords = self.folder / "passwords"
            self.write_file("passwords", "")
            tool = find_program("mosquitto_passwd", PACKAGE, "/usr/bin")
            self.run(tool, "-b", str(passwords), self.user, self.password)
            lines.append(f"password_file {passwords}")
        self.write_file("mosquitto.conf", "\n".join(lines) + "\n")

    def command(self) -> list[str]:
        return [find_program("mosquitto", PACKAGE), "-c", str(Path(self.folder) / "mosquitto.conf")]

    def check(self) -> None:
        with socket.create_connection((HOST, self.port), 10) as sock:
            sock.sendall(CONNECT)
            answer = sock.recv(4)
        assert answer[:1] == b"\x20", answer

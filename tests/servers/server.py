"""What all servers share: a folder, a port, a start that waits until the server is ready, and a stop."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TypeVar

from .process import LOG, Process, ServerError, last_lines, unprivileged_user

__all__ = ["Server", "ServerError", "free_port"]

Self = TypeVar("Self", bound="Server")

HOST = "127.0.0.1"
# Below the ports that systems give to clients: no client can hold one of these while its server restarts, or
# be connected to itself while it waits for the server.
PORTS = range(20_000, 32_000)


class Server(ABC):
    """A server in a temporary folder. `with` starts and stops it.

    A subclass gives `command` and `check`, and `prepare` if it needs anything in its folder before.

    Attributes:
        host: 127.0.0.1.
        port: where it listens; the same after `restart`.
        folder: its files, owned by the unprivileged user that runs it.
    """

    host = HOST
    stop_signal: int = signal.SIGTERM
    stop_limit = 10.0  # seconds until it is killed
    ready_limit = 60.0  # seconds, for a busy machine

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path()
        self._process: Process | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments; it stays in the foreground and logs to standard error."""

    @abstractmethod
    def check(self) -> None:
        """Return if the server answers; raise anything if it does not yet."""

    def prepare(self) -> None:  # noqa: B027 (not every server needs it)
        """Write what the server needs in its folder before its first start."""

    def start(self) -> None:
        """Start the server in a new folder, and wait until it is ready.

        Raises:
            ServerError: it has ended, or is not ready after `ready_limit` seconds.
        """
        self.folder = _make_folder(type(self).__name__.lower())
        try:
            self.prepare()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and remove its folder. Does nothing if it was stopped already."""
        try:
            self._halt()
        finally:
            if self.folder != Path():
                shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self) -> None:
        """Stop the server, which ends all connections, and start it again with the same port and data."""
        self._halt()
        self._launch()

    def log(self) -> str:
        """What the server has written so far."""
        return (self.folder / LOG).read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def run(self, *command: str, limit: float = 60.0) -> None:
        """Run a program that prepares the folder, like initdb, as the server's user.

        Raises:
            ServerError: it failed, or has not ended after `limit` seconds.
        """
        process = Process(list(command), self.folder)
        try:
            status = process.wait(limit)
        finally:
            process.stop()
        if status != 0:
            ended = f"ended with {status}" if status is not None else f"has not ended after {limit:g} s"
            raise ServerError(f"{command[0]} {ended}:\n{last_lines(self.folder)}")

    def write_file(self, name: str, text: str) -> Path:
        """Write a file into the folder that only the server's user can read."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        _give_to_user(path)
        return path

    def _launch(self) -> None:
        name = type(self).__name__
        self._process = Process(self.command(), self.folder, self.stop_signal, self.stop_limit)
        deadline = time.monotonic() + self.ready_limit
        problem: Exception | None = None
        while time.monotonic() < deadline:
            try:
                # A plain socket finds out without a driver's help whether anything listens already.
                socket.create_connection((self.host, self.port), timeout=5).close()
                self.check()
            except Exception as error:
                problem = error
            else:
                return
            if self._process.wait(0.02) is not None:
                raise ServerError(f"{name} has ended:\n{last_lines(self.folder)}")
        log = last_lines(self.folder)
        raise ServerError(f"{name} was not ready after {self.ready_limit:g} s: {problem!r}\n{log}")

    def _halt(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None

    def __enter__(self: Self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _make_folder(name: str) -> Path:
    """A folder that the unprivileged user can reach and write to; pytest's own ones are closed to others."""
    parents = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    if unprivileged_user() is not None:
        parents = [path for path in parents if _is_open_to_all(path)]
    if not parents:
        raise ServerError("not all users can enter the folder for temporary files: chmod o+x /tmp")
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parents[0]))
    _give_to_user(folder)
    return folder


def _is_open_to_all(path: Path) -> bool:
    resolved = path.resolve()
    return all(part.is_dir() and part.stat().st_mode & 0o001 for part in (resolved, *resolved.parents))


def _give_to_user(path: Path) -> None:
    user = unprivileged_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def free_port() -> int:
    """A port that nothing listens on."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ServerError(f"no free port among a hundred from {PORTS.start} to {PORTS.stop}")

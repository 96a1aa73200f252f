"""A program that runs under a guard: it never outlives the test process, and no wait for it is endless."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import sys
from pathlib import Path

__all__ = ["LOG", "Process", "ServerError", "last_lines", "unprivileged_user"]

GUARD = Path(__file__).with_name("guard.py")
LOG = "server.log"  # in the server's folder: what its programs print
LIMIT = 60.0  # seconds until the guard itself is given up


class ServerError(Exception):
    """A server or a program that prepares it failed, or took too long. The message ends with its log."""


class Process:
    """A program in a server's folder, started by the constructor as an unprivileged user.

    The guard reports through a socket, which every backend can wait for with a time-out. gevent's own wait
    for a child may miss one that ends quickly.

    Args:
        command: the program and its arguments.
        folder: where it runs, and where its log is.
        stop_signal: what asks the program to end.
        stop_limit: seconds from the signal until the program is killed.

    Attributes:
        pid: the program's process id.

    Raises:
        ServerError: the program cannot be started.
    """

    def __init__(
        self, command: list[str], folder: Path, stop_signal: int = signal.SIGTERM, stop_limit: float = 10.0
    ) -> None:
        guard = [sys.executable, "-I", "-S", str(GUARD), f"--parent={os.getpid()}", f"--folder={folder}"]
        guard += [f"--stop-signal={int(stop_signal)}", f"--stop-limit={stop_limit}"]
        user = unprivileged_user()
        if user is not None:
            guard += [f"--user={user.pw_uid}", f"--group={user.pw_gid}"]
        # Without the user's own settings, such as PGOPTIONS or MYSQL_HOME.
        inherited = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs, (folder / LOG).open("ab") as log:
                self._guard = subprocess.Popen(
                    [*guard, "--", *command],
                    stdin=theirs.fileno(),
                    stdout=log,
                    stderr=log,
                    env={**inherited, "LC_ALL": "C", "HOME": str(folder), "TMPDIR": str(folder)},
                    start_new_session=True,  # out of reach of the terminal's Ctrl-C
                )
        except BaseException:
            self._control.close()
            raise
        try:
            started = self._receive(LIMIT)
            if not started:
                raise ServerError(f"{command[0]} was not started:\n{last_lines(folder)}")
            self.pid = int(started)
        except BaseException:
            self.stop()
            raise

    def wait(self, limit: float) -> int | None:
        """The exit status, negative for a signal, or None if the program still runs after `limit` seconds."""
        status = self._receive(limit)
        return None if status is None else int(status or -signal.SIGKILL)

    def stop(self) -> None:
        """End the program, and wait until it has ended. It may have ended by itself before."""
        try:
            with contextlib.suppress(OSError):  # the guard has ended
                self._control.send(b"stop")
            while self._receive(LIMIT):
                pass
        finally:
            self._control.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guard.wait(LIMIT)

    def _receive(self, limit: float) -> bytes | None:
        """The guard's next message, nothing if the guard has ended, or None if it said nothing in time."""
        self._control.settimeout(limit)
        try:
            return self._control.recv(64)
        except ConnectionResetError:
            return b""
        except TimeoutError:
            return None


def unprivileged_user() -> pwd.struct_passwd | None:
    """The user that runs the servers if the tests are run by root, whom servers refuse; None otherwise."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def last_lines(folder: Path) -> str:
    """The end of a folder's log, for an error message."""
    lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-40:]) or "its log is empty"

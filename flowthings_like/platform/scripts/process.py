"""A process in which scripts run, as this process sees it: started, asked, and ended for good if it fails.

All calls may block for as long as a script may run, so they are made in native threads.
"""

from __future__ import annotations

import os
import posix  # as it is: gevent's `os.close` closes later, when its hub runs, and a pipe would not end
import signal
import struct
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from ..problems import Unavailable

__all__ = ["ScriptProcess"]

INSTALL = "pip install 'flowthings_like[js]'"

LARGEST_REPLY = 32 << 20
"""Bytes that are read in one exchange. The process sends less, unless a script has taken it over."""

_PROGRAM = Path(__file__).with_name("sandbox.py")
_RESET_SIGNALS = (signal.SIGPROF, signal.SIGALRM, signal.SIGPIPE, signal.SIGTERM, signal.SIGINT)


class ScriptProcess:
    """A running process. One caller at a time exchanges with it.

    Args:
        nice: by how much it gives way to other processes, as in `os.nice`.

    Attributes:
        is_alive: whether it can be asked. It cannot after an exchange that was interrupted or cut short.

    Raises:
        Unavailable: the engine is not installed, there is no Python to run it, or the process could not be
            started.
    """

    def __init__(self, nice: int = 0) -> None:
        self.is_alive = False
        self._fds: list[int] = []
        self._owner = os.getpid()
        self._pid: int | None = None
        command = [_interpreter(), "-I", "-S", "-B", str(_PROGRAM), _engine_folder(), str(nice)]
        try:
            self._start(command)
            if self._read_frame() != b"":
                raise Unavailable("the process for scripts ended as it started")
            self.is_alive = True
        except OSError as error:
            self.kill()
            raise Unavailable(f"the process for scripts cannot be started: {error}") from error
        except BaseException:
            self.kill()
            raise

    def _start(self, command: list[str]) -> None:
        fds = self._fds  # what is open is in it at every moment, so that `kill` closes it
        fds.extend(posix.pipe())
        fds.extend(posix.pipe())
        their_input, our_output, our_input, their_output = fds
        self._pid = posix.posix_spawn(
            command[0],
            command,
            {"TZ": "UTC", "LC_ALL": "C.UTF-8"},  # nothing of this process's environment
            file_actions=[
                (posix.POSIX_SPAWN_DUP2, their_input, 0),
                (posix.POSIX_SPAWN_DUP2, their_output, 1),
                (posix.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setpgroup=0,  # Ctrl-C is for this process
            setsigmask=(),
            setsigdef=_RESET_SIGNALS,
        )
        self._fds = [our_output, our_input]
        posix.close(their_input)
        posix.close(their_output)

    def exchange(self, request: bytes) -> list[bytes]:
        """Send a request, and return the frames that come in reply.

        The last begins with "." if the process has finished. If it does not, the process was ended by the
        script that ran on the first input for which there is no frame.
        """
        self.is_alive = False
        replies: list[bytes] = []
        size = 0
        try:
            self._write(struct.pack(">I", len(request)) + request)
            while size <= LARGEST_REPLY and (frame := self._read_frame()) is not None:
                replies.append(frame)
                size += len(frame)
                if frame.startswith(b"."):
                    self.is_alive = True
                    return replies
        except OSError:  # it has ended
            pass
        except BaseException:
            self.kill()
            raise
        self.kill()
        return replies

    def kill(self) -> None:
        """End the process and let go of its pipes. In a forked child it lets go of the pipes only."""
        self.is_alive = False
        pid, self._pid = self._pid, None
        if pid is not None and self._owner == os.getpid():
            # Somebody else in this process may have waited for it already, such as the hub of gevent.
            with suppress(ProcessLookupError, ChildProcessError):
                posix.kill(pid, signal.SIGKILL)
                posix.waitpid(pid, 0)
        while self._fds:
            fd = self._fds.pop()
            with suppress(OSError):
                posix.close(fd)

    def __del__(self) -> None:
        self.kill()

    def _write(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[posix.write(self._fds[0], rest) :]

    def _read_frame(self) -> bytes | None:
        """The next frame; None if the process has ended, or sends what it must not."""
        head = self._read(4)
        size = None if head is None else struct.unpack(">I", head)[0]
        return None if size is None or size > LARGEST_REPLY else self._read(size)

    def _read(self, size: int) -> bytes | None:
        parts = []
        while size:
            part = posix.read(self._fds[1], min(size, 1 << 20))
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _engine_folder() -> str:
    spec = find_spec("_quickjs")
    if spec is None or spec.origin is None:
        raise Unavailable(f"tracks and tasks in JavaScript need the package quickjs-ng; run: {INSTALL}")
    return str(Path(spec.origin).parent)


def _interpreter() -> str:
    """The path of this Python. Within uWSGI `sys.executable` is uWSGI's."""
    names = (sys.executable, f"{sys.prefix}/bin/python3", f"{sys.base_prefix}/bin/python3")
    for name in names:
        if name and Path(name).name.startswith("python") and os.access(name, os.X_OK):
            return name
    raise Unavailable(f"scripts need a Python to run in, and there is none at {', '.join(names)}")

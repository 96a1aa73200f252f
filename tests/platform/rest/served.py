"""`flowthings-like serve` in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from flowthings_like.cli.store_option import VARIABLE

from ...servers.platform_store import place_of

ROOT = Path(__file__).parents[3]
SERVE = [sys.executable, "-m", "flowthings_like.cli.main", "serve"]
PATIENCE = 60  # seconds, for a machine that is busy with other things


class Served:
    """A server process, and its port and token.

    Args:
        folder: what it serves; None for the store that the environment names.
        arguments: more of them for `serve`.
    """

    def __init__(self, folder: Path | None, *arguments: str) -> None:
        place = str(folder) if folder is None else place_of(folder)
        data = () if folder is None else ("--data", str(folder))
        self.process = subprocess.Popen(
            [*SERVE, *data, "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ if place == str(folder) else {**os.environ, VARIABLE: place},
        )
        self.printed: list[str] = []
        self.errors: list[str] = []
        assert self.process.stderr
        self._reader = threading.Thread(target=self.errors.extend, args=(self.process.stderr,))
        self._reader.start()
        assert self.process.stdout
        for line in self.process.stdout:
            self.printed.append(line.rstrip())
            if line.startswith("listening: "):
                break
        else:
            raise AssertionError("".join(self.errors) + f"exit {self.process.wait(PATIENCE)}")
        self.url = self.printed[-1].removeprefix("listening: ")
        self.port = int(self.url.rsplit(":", 1)[1])

    @property
    def token(self) -> str:
        (token,) = [line.removeprefix("token: ") for line in self.printed if line.startswith("token: ")]
        return token

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(child) for child in children.read_text().split()]

    def kill(self) -> None:
        """End the server and its workers as a power cut would."""
        workers = self.workers()
        self.process.kill()
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stdout
        self.printed += self.process.stdout.read().splitlines()
        self.process.stdout.close()
        assert self.process.stderr
        self.process.stderr.close()
        return status

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop(signal.SIGQUIT)
        elif self.process.stdout is not None and not self.process.stdout.closed:
            self.wait()  # it has ended by itself

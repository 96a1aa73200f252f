"""Runs one program for a test process, and stops it when it is told to or when the test process has gone.

    python guard.py --parent N --folder F --stop-signal N --stop-limit N [--user N --group N] -- COMMAND …

It is an interpreter of its own, started by process.py, so nothing here is patched by gevent or eventlet.
Standard input is a socket to the test process that keeps the boundaries of messages. The guard sends the
program's process id when it has started, and its exit status when it has ended. Any message to the guard,
or the end of the connection, stops the program. If the test process was killed, the guard removes the folder.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

INTERVAL = 0.02  # seconds between two looks at the program and at the test process


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("parent", "stop-signal", "user", "group"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--stop-limit", type=float)
    parser.add_argument("--folder")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    # A signal to the guard stops the program as well: `finally` below is run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with socket.socket(fileno=0) as control:
        try:
            program = subprocess.Popen(
                arguments.command,
                cwd=arguments.folder,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                user=arguments.user,
                group=arguments.group,
                extra_groups=None if arguments.group is None else [arguments.group],
            )
        except OSError as error:
            # Before the socket is closed, because the test process reads the log then.
            print(f"{arguments.command[0]}: {error.strerror}", file=sys.stderr, flush=True)
            sys.exit(1)
        try:
            with contextlib.suppress(OSError):  # the test process has gone, which is seen below
                control.send(str(program.pid).encode())
            while program.poll() is None and os.getppid() == arguments.parent:
                if select.select([control], [], [], INTERVAL)[0]:
                    break
        finally:
            stop(program, arguments.stop_signal, arguments.stop_limit)
        # By the parent's id, not by the end of the socket: a fork of the test process keeps that open.
        if os.getppid() == arguments.parent:
            with contextlib.suppress(OSError):
                control.send(str(program.returncode).encode())
        else:
            shutil.rmtree(arguments.folder, ignore_errors=True)


def stop(program: subprocess.Popen[bytes], number: int, limit: float) -> None:
    """Signal the program if it runs; kill it and its process group if it still runs after `limit` seconds."""
    if program.poll() is None:
        program.send_signal(number)
    deadline = time.monotonic() + limit
    while program.poll() is None:
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()
        time.sleep(INTERVAL)


if __name__ == "__main__":
    main()

"""The program of the processes in which scripts run, which `process.py` starts.

It imports nothing of this package, so that it starts within milliseconds.

    python -I -S sandbox.py FOLDER NICE

FOLDER holds the module of quickjs-ng, and NICE says by how much the process is to give way to others.

It reads requests from its standard input and writes replies to its standard output, both as frames: four
bytes of length, big-endian, then so many bytes. An empty frame says that it is ready. After a request it
writes a frame for each input, as soon as that one has run, then a frame that is "." and the seconds of
processor time that all of them took. A frame for an input is "=" and the JSON that `prelude.js` returns, or
"!" and a message if the script was stopped.

A script that the engine cannot stop is stopped by the kernel: a timer ends this process.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

SECONDS = 0.2
"""Processor time that a script may use on one input. The engine stops it there."""
HARD_SECONDS = 0.5
"""Processor time after which the process ends, because the engine did not stop the script."""
REAL_SECONDS = 30.0
"""The same in real time, on a machine that gives the process no processor."""
MEMORY = 32 << 20
"""Bytes that a script may use."""
STACK = 256 << 10
"""Bytes of stack that a script may use."""
LARGEST_RESULT = 256 << 10
"""Characters of JSON that a script may return for one input, or twice as much as the input has."""
LARGEST_REPLY = 4 << 20
"""Bytes of results after which a request takes no further input."""
_PROCESS_MEMORY = 512 << 20

_STOPPED = "InternalError: interrupted"
_OUT_OF_MEMORY = ("null", "InternalError: out of memory")


class Stopped(Exception):
    """The script was stopped, or does not compile; its context is not used again."""


class Sandbox:
    """Runs scripts in contexts of the engine.

    Args:
        engine: the module of quickjs-ng.
        prelude: the source of what scripts find around them.
    """

    def __init__(self, engine: Any, prelude: str) -> None:
        self._engine = engine
        self._prelude = prelude

    def serve(self, request: dict[str, Any]) -> None:
        """Run a script on inputs, until one is stopped or the request's time is up.

        Args:
            request: `source`, `kind` (track or task), `seconds` of real time after which to take no further
                input, and `inputs`: a list of {text, answers}, both JSON texts.
        """
        started, end = time.process_time(), time.monotonic() + request["seconds"]
        script: Script | None = None
        size = 0
        try:
            for given in request["inputs"]:
                _arm()
                if script is None:
                    script = Script(self._engine, self._prelude, request["kind"], request["source"])
                reply = script.run(given["text"], given["answers"]).encode()
                write_frame(b"=" + reply)
                size += len(reply)
                if size > LARGEST_REPLY or time.monotonic() > end:
                    break
            if not request["inputs"]:
                _arm()
                Script(self._engine, self._prelude, request["kind"], request["source"])
        except Stopped as stopped:
            write_frame(b"!" + str(stopped).encode(errors="replace"))
        finally:
            _disarm()
        write_frame(b".%.6f" % (time.process_time() - started))


class Script:
    """A compiled script, in a context of its own. Raises Stopped if it does not compile."""

    def __init__(self, engine: Any, prelude: str, kind: str, source: str) -> None:
        self._failed = engine.JSException
        self._kind = kind
        context = engine.Context()
        context.set_memory_limit(MEMORY)
        context.set_max_stack_size(STACK)
        context.set_time_limit(SECONDS)
        self._entry = context.eval(prelude)
        expression = source.rstrip().rstrip(";")
        if "\0" in expression:
            raise Stopped("the source holds a character NUL")
        try:
            self._script = context.eval(f'"use strict";({expression}\n)')
        except self._failed as error:
            raise Stopped(_message(error)) from None

    def run(self, text: str, answers: str) -> str:
        """The prelude's reply for one input. Raises Stopped."""
        try:
            reply: str = self._entry(self._script, self._kind, text, answers)
        except self._failed as error:
            raise Stopped(_message(error)) from None
        if len(reply) > max(LARGEST_RESULT, 2 * len(text)):
            raise Stopped(
                f"it returned more than {LARGEST_RESULT >> 10} KiB of JSON, and than twice its input"
            )
        return reply


def _message(error: Exception) -> str:
    """What went wrong, in words, with the line of the script if the engine says it."""
    first, _, stack = str(error).partition("\n")
    if first == _STOPPED:
        return f"it took more than {SECONDS:g} s"
    if first in _OUT_OF_MEMORY:
        return f"it used more than {MEMORY >> 20} MB of memory"
    _, found, rest = stack.partition("<input>:")
    line = rest.partition(":")[0]
    return f"line {line}: {first[:1000]}" if found and line.isdigit() else first[:1000]


def _arm() -> None:
    signal.setitimer(signal.ITIMER_PROF, HARD_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, REAL_SECONDS)


def _disarm() -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)


def read_frame() -> bytes | None:
    """The next frame from the standard input; None at its end."""
    size = _read(4)
    return None if size is None else _read(struct.unpack(">I", size)[0])


def _read(size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(0, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def write_frame(content: bytes) -> None:
    """Write a frame to the standard output."""
    rest = memoryview(struct.pack(">I", len(content)) + content)
    while rest:
        rest = rest[os.write(1, rest) :]


def _give_up_rights(nice: int) -> None:
    """Leave this process nothing but the two pipes, some memory and the processor time that others leave."""
    os.closerange(3, 65536)  # what the platform's process was started with, and let its children have
    os.nice(nice)
    os.chdir("/")
    for limit, most in (
        ("RLIMIT_AS", _PROCESS_MEMORY),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_NOFILE", 3),  # no file or socket is opened any more
        ("RLIMIT_NPROC", 0),
    ):
        kind = getattr(resource, limit, None)  # not every system has all of them
        if kind is not None:
            with suppress(ValueError, OSError):
                resource.setrlimit(kind, (most, most))


def main(folder: str, nice: int) -> None:
    """Serve requests until the standard input ends."""
    sys.path.append(folder)
    import _quickjs  # the package's own module starts a thread, and takes twice the time

    sandbox = Sandbox(_quickjs, Path(__file__).with_name("prelude.js").read_text(encoding="utf-8"))
    _give_up_rights(nice)
    write_frame(b"")
    while (frame := read_frame()) is not None:
        sandbox.serve(json.loads(frame))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

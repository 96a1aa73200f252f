"""An api with no network behind it: services that answer, fail, wait for a signal and count."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
from contextvars import ContextVar
from pathlib import Path
from time import monotonic
from types import SimpleNamespace

from flowthings_like.green import api_call, api_factory, plain
from flowthings_like.green.backends.choice import detect

ROOT = Path(__file__).parents[2]
PATCH = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch()",
    "threads": "",
}

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


class Base:
    __api_service__ = True

    def __init__(self):
        self.running = self.peak = self.count = 0

    def give(self, value=None, **params):
        self.count += 1
        return (value, params) if params else value

    def fail(self, error):
        raise error

    def wait(self, event, value=None):
        """Return once the event is set. All waits of this module end with it."""
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            assert event.wait(20)
        finally:
            self.running -= 1
        return value

    def run(self, function, *args):
        return function(*args)

    @plain
    def iterate(self):
        yield from "abc"

    @property
    def path(self):
        return "/flow"

    def _private(self):
        return "private"


class Drops(Base):
    def __init__(self, flow):
        super().__init__()
        self.flow = flow

    def newest(self):
        return {"flow": self.flow}


class DropFactory:
    __api_service__ = True

    @api_factory
    def __call__(self, flow):
        return Drops(flow)

    def create(self, model):
        return model


class Socket:
    """No service at all: handed through."""

    def connect(self):
        return "connected"


class Api:
    def __init__(self):
        self.flow = Base()
        self.drop = DropFactory()
        self.websocket = Socket()
        self.creds = "acme"

    @api_call
    def request(self, method, path):
        return f"{method} {path}"

    @api_factory
    def device(self, name):
        return Drops(name)

    def close(self):
        return "closed"


def until(condition, what="it"):
    """Let others run until the condition holds."""
    backend = detect()
    over = monotonic() + 20
    while not condition():
        assert monotonic() < over, f"{what} did not happen"
        backend.sleep(0.001 if backend.name == "threads" else 0)
        backend.sleep(0.001)


@contextlib.contextmanager
def submitted_together(lazy):
    """What is called in the block is submitted before the first batch leaves, on threads too."""
    lazy._open()
    batcher = lazy._batcher
    backend, next_batch = detect(), batcher._next_batch
    over = backend.event()

    def later(dispatcher):
        assert over.wait(20)
        return next_batch(dispatcher)

    batcher._next_batch = later
    try:
        yield
    finally:
        over.set()
        del batcher._next_batch


@contextlib.contextmanager
def interrupted():
    """Interrupt this green thread, or this thread's wait, from outside within the block; swallow that."""
    name = detect().name
    if name == "gevent":
        import gevent

        with gevent.Timeout(0.01, False):
            yield
    elif name == "eventlet":
        import eventlet

        with eventlet.Timeout(0.01, False):
            yield
    else:
        import signal

        def stop(number, frame):
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, stop)
        # Again after a while: what is raised in a finalizer goes no further.
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.5)
        try:
            yield
        except KeyboardInterrupt:
            pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def python(code, backend="threads", **options):
    """Run code in an interpreter of its own, patched first thing. Its stdout and stderr, both stripped."""
    source = PATCH[backend] + "\n" + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", source],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **options,
    )
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(out=done.stdout.strip(), err=done.stderr.strip())

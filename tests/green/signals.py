"""A script: signals at random moments in the main thread, beside a thread that shares what it uses.

    python -m tests.green.signals SIGNALS [SEED]

Prints how many calls of both returned. Ends with status 1, and every thread's stack, if one never does.
"""

import contextlib
import faulthandler
import random
import signal
import sys
import threading
import time
import warnings

from flowthings_like.errors import CallCancelled
from flowthings_like.green import AsyncAPI, LazyAPI, force
from tests.green.bulky import Platform

LONGEST = 100.0
"""Seconds in which a call returns on any machine."""


class Interrupt(BaseException):
    pass


class Caller:
    """Makes calls of all kinds, through objects that another caller shares."""

    def __init__(self, platform, lazy, calls):
        self.platform = platform
        self.lazy = lazy
        self.calls = calls
        self.returned = 0
        self.kinds = [self.read, self.write, self.alone, self.functions, self.imperative, self.block]

    def read(self):
        assert [thunk["id"] for thunk in [self.lazy.flow.read(id) for id in "abcab"]] == [*"abcab"]

    def write(self):
        drops = self.lazy.drop("f")
        assert [thunk["value"] for thunk in [drops.create({"value": n}) for n in range(5)]] == [*range(5)]

    def alone(self):
        assert force(self.lazy.flow.count()) == 3

    def functions(self):
        found = self.lazy.map(lambda id: self.lazy.flow.read(id)["id"], "abc")
        assert [force(thunk) for thunk in found] == [*"abc"]

    def imperative(self):
        calls = self.calls()
        for id in "abc":
            calls.flow.read(id)
        assert sorted(thread.get()["id"] for thread in calls.as_completed()) == [*"abc"]

    def block(self):
        with LazyAPI(self.platform) as lazy:
            thunks = [lazy.flow.read(id) for id in "abc"]
        assert [force(thunk)["id"] for thunk in thunks] == [*"abc"]

    def call(self, kind):
        kind()
        self.returned += 1


def keep_calling(caller, kind):
    """Make calls until a signal comes, or for a second: one that meets the garbage collector is lost.

    The loop is a function of its own, because since CPython 3.12 an exception at its end passes by the
    handlers around it.
    """
    until = time.monotonic() + 1
    while time.monotonic() < until:
        with contextlib.suppress(CallCancelled):  # of a block that was interrupted
            caller.call(kind)


def main(signals, seed):
    warnings.simplefilter("ignore")
    # What the garbage collector calls back can be interrupted, and cannot raise.
    sys.unraisablehook = lambda _: None
    threading.excepthook = lambda args: failures.append(args)
    failures = []
    dice = random.Random(seed)
    platform = Platform()
    platform.fill(*"abc")
    lazy = LazyAPI(platform)
    lazy.flow.read("a").force()
    interrupted, beside = (Caller(platform, lazy, lambda: AsyncAPI(platform)) for _ in range(2))
    over = threading.Event()

    def go_on():
        while not over.is_set():
            for kind in beside.kinds:
                beside.call(kind)
                platform.requests.clear()
                platform.tenants.clear()
                platform.service("/drop/f").stored.clear()

    def handler(number, frame):
        raise Interrupt

    signal.signal(signal.SIGALRM, handler)
    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    sent = 0
    while sent < signals and not failures:
        kind = dice.choice(interrupted.kinds)
        faulthandler.dump_traceback_later(LONGEST, exit=True)
        try:
            signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-6, 400e-6))
            keep_calling(interrupted, kind)
        except Interrupt:
            sent += 1
    faulthandler.dump_traceback_later(2 * LONGEST, exit=True)
    for kind in interrupted.kinds:  # nothing is left that would hold them up
        interrupted.call(kind)
    over.set()
    thread.join()
    faulthandler.cancel_dump_traceback_later()
    assert not failures, failures
    print(f"{sent} signals, {interrupted.returned} calls beside them, {beside.returned} in the other thread")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)

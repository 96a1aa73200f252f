"""Scripts that end while calls are under way: those are finished, and what was not done is said."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from flowthings_like import API
from flowthings_like.green import detect

from ..fakes import PATCH, ROOT

BACKEND = detect()
GREEN = BACKEND.name != "threads"

HEAD = """
import atexit, os, signal, sys, time, warnings
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background starts others without it
sys.path.insert(0, ".")
from flowthings_like import API, Token
from flowthings_like.green import AsyncAPI, LazyAPI, detect
from tests.green.bulky import Platform
from tests.green.fakes import Api, until
"""


def start(code, *arguments):
    """A script in an interpreter of its own."""
    source = PATCH[BACKEND.name] + HEAD + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", source, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def ended(code, *arguments, status=0):
    """What a script wrote to stdout and to stderr."""
    with start(code, *arguments) as script:
        try:
            out, err = script.communicate(timeout=120)
        finally:
            script.kill()
    assert script.returncode == status, err
    return out.strip(), err.strip()


def stored(folder, flow):
    with API.embedded(folder) as api:
        return [drop["elems"]["n"] for drop in api.drop(flow).find(limit=1000)]


def test_what_is_under_way_at_the_end_is_done(tmp_path):
    out, said = ended(
        """
        api = API.embedded(sys.argv[1])
        flows = [api.flow.create({"path": f"/acme/{n}", "capacity": 1000})["id"] for n in range(8)]
        calls, few, lazy = api.async_(), api.async_(2), api.lazy()

        def create(api, flow, n):
            return api.drop(flow).create({"elems": {"n": n}})

        for n in range(200):
            create(calls, flows[0], n)
        for n in range(40):
            create(api.async_(), flows[1], n)
            create(few, flows[2], n)
            create(lazy, flows[3], n)
            create(api.lazy(), flows[4], n)
        lazy.map(lambda n: create(api, flows[5], n), range(40))
        lazy.map(lambda n: create(lazy, flows[6], n), range(40))
        for n in range(40):
            lazy.drop(flows[7]).create({"elems": {"n": lazy.call(int, n)}})
        print(*flows)
        """,
        tmp_path,
    )
    assert said == ""
    with API.embedded(tmp_path) as api:
        for number, flow in enumerate(out.split()):
            found = [drop["elems"]["n"] for drop in api.drop(flow).find(limit=1000)]
            assert sorted(found) == list(range(40 if number else 200)), number
            assert number != 3 or found == sorted(found, reverse=True)


@pytest.mark.parametrize(("how", "status"), [("sys.exit(3)", 3), ("raise ValueError('the end')", 1)])
def test_a_script_that_fails_ends_in_the_same_way(how, status):
    out, said = ended(
        f"""
        api = Platform()
        api.delay = 0.01
        atexit.register(lambda: print(len(api.flow.stored)))  # the first one is the last to run
        calls, lazy = AsyncAPI(api), LazyAPI(api)
        for n in range(100):
            calls.flow.create({{"value": n}})
            lazy.flow.create({{"value": n}})
        {how}
        """,
        status=status,
    )
    assert out == "200"
    assert "flowthings_like:" not in said


@pytest.mark.skipif(
    GREEN and (3, 12) <= sys.version_info < (3, 12, 2),
    reason="CPython starts no thread at exit there (its issue 113964); green libraries resolve names in one",
)
def test_what_could_not_be_done_is_said_with_number_and_place():
    _, said = ended(
        """
        import socket
        silent = socket.socket()
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        api = API(Token("acme", "secret"), host="127.0.0.1:%d" % silent.getsockname()[1], secure=False)
        started = time.monotonic()

        def work():
            calls = api.async_()
            for _ in range(5):
                calls.flow.read("f1", timeout=2)
            api.lazy().flow.read("f1", timeout=2)
            api.lazy().flow.find(timeout=2)

        work()
        atexit.register(lambda: print("ends", flush=True))
        """
    )
    assert "7 of the calls that were under way when the program ended were not done" in said
    assert "5 x flow.read called at <string>:" in said
    assert "1 x flow.read called at <string>:" in said
    assert "1 x flow.find called at <string>:" in said
    assert "in work: DeadlineExceeded" in said
    assert "secret" not in said
    assert "Traceback" not in said


def test_a_failed_call_is_said_too_and_one_that_was_done_before_is_not():
    _, said = ended(
        """
        api = Platform()
        api.fill("a")
        calls, lazy = AsyncAPI(api), LazyAPI(api)
        calls.flow.read("gone")
        calls.results(with_exceptions=True)
        api.delay = 2
        calls.flow.read("missing")
        thunks = [lazy.flow.read("a"), lazy.flow.read("missing too")]
        calls.flow.read("a")
        """
    )
    assert "2 of the calls that were under way when the program ended were not done" in said
    assert said.count("1 x flow.read called at <string>:") == said.count(": FlowThingsNotFound") == 2
    assert "gone" not in said


def test_ctrl_c_ends_the_wait_and_says_how_many_there_were():
    script = start(
        """
        api = Platform()
        api.gate = detect().event()
        def never(*asked):
            while True:
                detect().sleep(0.05)
        api.failure = never
        api.gate.set()
        calls, lazy = AsyncAPI(api), LazyAPI(api)
        for n in range(70):
            calls.flow.count()
        lazy.drop("f").create({"value": 1})
        until(lambda: len(api.requests) >= 60)
        ending = []
        atexit.register(ending.append, True)

        def tell():
            while not ending:
                detect().sleep(0.01)
            detect().sleep(1)
            print("waiting", flush=True)

        detect().spawn(tell)
        """
    )
    assert script.stdout.readline() == "waiting\n"
    over = time.monotonic() + 60
    while script.poll() is None:
        assert time.monotonic() < over, "it did not end"
        script.send_signal(signal.SIGINT)
        for _ in range(50):
            if script.poll() is not None:
                break
            time.sleep(0.01)
    said = script.communicate(timeout=120)[1]
    # Not always 71: the signal's exception may have been raised in a call, which then is done.
    assert re.search(
        r"(6\d|7[01]) of the calls that were under way when the program ended were not done", said
    )
    assert "70 x flow.count called at <string>:" in said
    assert "1 x drop.create called at <string>:" in said
    assert "not waited for after KeyboardInterrupt" in said


def test_a_forked_child_waits_for_nothing_of_its_parents():
    out, said = ended(
        """
        api = Platform()
        api.fill("a")
        api.gate = detect().event()
        calls, lazy = AsyncAPI(api), LazyAPI(api)
        calls.flow.read("a")
        lazy.flow.read("a")
        lazy.flow.count()
        until(lambda: api.held == 3)
        warnings.simplefilter("ignore", DeprecationWarning)
        started = time.monotonic()
        if os.fork() == 0:
            AsyncAPI(Api()).flow.run(print, "the child's own")
            sys.exit()
        os.wait()
        assert time.monotonic() - started < 20
        print("the child is gone", flush=True)
        api.gate.set()
        """
    )
    assert (out.split("\n"), said) == (["the child's own", "the child is gone"], "")


def test_what_was_given_up_is_not_waited_for():
    _, said = ended(
        """
        api = Platform()
        def never(*asked):
            while True:
                detect().sleep(0.05)
        api.failure = never
        try:
            with AsyncAPI(api) as calls:
                calls.flow.count()
                until(lambda: len(api.requests) == 1)
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        try:
            with LazyAPI(api) as lazy:
                lazy.flow.count()
                lazy.flow.read("a")
                until(lambda: len(api.requests) == 3)
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        print("end")
        """
    )
    assert "flowthings_like" not in said


@pytest.mark.needs("green", "OS threads may wait for each other")
def test_a_call_of_another_os_threads_hub_is_said_and_holds_nobody_up():
    _, said = ended(
        """
        api = Api()
        def elsewhere():
            lazy = LazyAPI(api)
            lazy.flow.wait(detect().event())
            made.append(lazy)
            while True:
                real.sleep(0.05)
        made = []
        detect().sleep(0)  # two threads that make their first hubs at once may wait for each other's imports
        if detect().name == "gevent":
            from gevent.monkey import get_original
            class real:
                sleep = staticmethod(get_original("time", "sleep"))
            get_original("_thread", "start_new_thread")(elsewhere, ())
        else:
            from eventlet import patcher
            real = patcher.original("time")
            patcher.original("threading").Thread(target=elsewhere, daemon=True).start()
        until(lambda: made)
        """
    )
    assert "1 of the calls" in said
    assert "was not done" in said
    assert "WrongThread" in said


def test_what_is_chained_is_done_and_a_failure_that_was_caught_is_not_said():
    out, said = ended(
        """
        api = Platform()
        api.delay = 0.05
        api.fill("a")
        lazy = LazyAPI(api)

        def say(what):
            sys.stdout.write(f"{what}\\n")  # in one call, whatever other threads write

        def later(flow):
            detect().sleep(0.02)
            return lazy.flow.create({"value": flow["id"]}).then(lambda made: say(made["value"]))

        lazy.flow.read("a").then(later)
        lazy.flow.read("missing").then(len).catch(lambda error: say(type(error).__name__))
        lazy.flow.count().then(str).then(say)
        """
    )
    assert sorted(out.split()) == ["1", "FlowThingsNotFound", "a"]
    assert said == ""


def test_a_chained_function_that_runs_at_the_end_is_done():
    out, said = ended(
        """
        lazy, begun = LazyAPI(Api()), []

        def work(value):
            begun.append(value)
            detect().sleep(0.2)
            print("done")

        lazy.flow.give(1).then(work)
        until(lambda: begun)
        """
    )
    assert (out, said) == ("done", "")


def test_a_failure_of_a_chain_is_said_once():
    _, said = ended(
        """
        api = Platform()
        api.delay = 0.05
        lazy = LazyAPI(api)
        lazy.flow.read("missing").then(len).then(len)
        lazy.flow.count().then(lambda number: 1 / 0).then(len)
        """
    )
    assert "2 of the calls that were under way when the program ended were not done" in said
    assert said.count("1 x then(len) called at <string>:") == 2
    assert "FlowThingsNotFound" in said
    assert "ZeroDivisionError" in said


def test_a_chain_that_was_cancelled_is_not_waited_for():
    out, said = ended(
        """
        api = Platform()
        def never(*asked):
            while True:
                detect().sleep(0.05)
        api.failure = never
        try:
            with LazyAPI(api) as lazy:
                for call in (lazy.flow.count(), lazy.flow.read("a")):
                    call.then(print).catch(print)
                until(lambda: len(api.requests) == 2)
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        print("end")
        """
    )
    assert (out, said) == ("end", "")

"""Large bodies are parsed and encoded one at a time, and what is due runs between two of them."""

import gc
import time
from itertools import pairwise

import orjson
import pytest

from flowthings_like import API, Token
from flowthings_like.errors import DeadlineExceeded
from flowthings_like.green import detect, native
from flowthings_like.green.backends.fairness import LARGE, MANY, fair_yield, is_large, run_fairly
from flowthings_like.transport.http.encoder import JSONEncoder

GREEN = detect().name != "threads"
green_only = pytest.mark.needs("green", "OS threads take turns by themselves")


@pytest.fixture
def backend():
    return detect()


def counted(backend, monkeypatch):
    """A list to which each call of `fair_yield` is added."""
    turns = []
    monkeypatch.setattr(type(backend), "fair_yield", lambda self: turns.append(self))
    return turns


@green_only
def test_what_is_due_runs_between_two_large_bodies(backend):
    seen = []

    def beat():
        while len(seen) < 200 and seen.count("work") < 20:
            backend.sleep(0.001)
            seen.append("beat")

    def work():
        for _ in range(2):
            fair_yield()
            seen.append("work")
            until = time.perf_counter() + 0.002
            while time.perf_counter() < until:
                pass

    threads = [backend.spawn(beat), *(backend.spawn(work) for _ in range(10))]
    for thread in threads:
        backend.get(thread, 20)
    assert seen.count("work") == 20
    assert ("work", "work") not in pairwise(seen)


@green_only
def test_an_interrupted_wait_for_the_fairness_lock_leaves_it_to_the_others(backend):
    done = []

    def work(number):
        fair_yield()
        done.append(number)

    for victim in range(3):
        threads = [backend.spawn(work, number) for number in range(3)]
        backend.sleep(0)
        backend.kill(threads[victim])
        for number, thread in enumerate(threads):
            if number != victim:
                backend.get(thread, 20)

    def many():
        for _ in range(1000):
            fair_yield()

    with pytest.raises(DeadlineExceeded), backend.deadline(0):
        many()
    backend.get(backend.spawn(work, "last"), 20)
    assert done[-1] == "last"


def test_a_native_thread_does_not_yield():
    assert native(run_fairly, len, b" " * LARGE) == LARGE


@pytest.mark.parametrize(
    ("value", "large"),
    [
        (b"x" * LARGE, True),
        ("x" * LARGE, True),
        (b"x" * (LARGE - 1), False),
        ([0] * MANY, True),
        ([0] * (MANY - 1), False),
        (dict.fromkeys(range(MANY)), True),
        (None, False),
        (10**9, False),
    ],
    ids=["bytes", "str", "fewer bytes", "list", "shorter list", "dict", "none", "number"],
)
def test_what_is_large(value, large, backend, monkeypatch):
    turns = counted(backend, monkeypatch)
    assert is_large(value) is large
    assert run_fairly(type, value) is type(value)
    assert len(turns) == large


def test_each_large_request_and_answer_yields_once(backend, monkeypatch):
    turns = counted(backend, monkeypatch)
    answer = orjson.dumps({"head": {"ok": True, "status": 200}, "body": ["x" * 100] * 4000})
    small = orjson.dumps({"head": {"ok": True, "status": 200}, "body": []})
    answers = iter([small, answer, small])
    api = API(Token("a", "b"), request=lambda *args, **options: (next(answers), {}, 200))
    api.flow.find()
    assert len(turns) == 0
    assert len(api.flow.find()) == 4000
    assert len(turns) == 1
    api.root.request("POST", "/drop/f1", data=[{"elems": {}}] * MANY)
    assert len(turns) == 2


@pytest.mark.parametrize("collecting", [True, False])
@pytest.mark.parametrize("text", [b"[" + b"1," * LARGE + b"1]", b"[" * LARGE], ids=["good", "bad"])
def test_parsing_leaves_the_collector_as_it_was(text, collecting):
    was = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        JSONEncoder().loads(text)
    except ValueError:
        assert text.startswith(b"[[")
    else:
        assert text.startswith(b"[1")
    finally:
        now = gc.isenabled()
        (gc.enable if was else gc.disable)()
    assert now is collecting

"""On threads a signal handler may raise anywhere in the main thread: no other call hangs for it."""

import ast
import itertools
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from flowthings_like.green import AsyncAPI, LazyAPI, detect, future
from flowthings_like.green.backends import _primitives, _threads
from flowthings_like.green.batching import batcher, dispatcher, gathering, queue
from flowthings_like.green.calls import async_, bulk_method, lazy, task_future, thunk
from flowthings_like.green.calls import service_views as views
from tests.transport.opcodes import interrupted_at

from .bulky import Platform
from .fakes import ROOT
from .signals import Caller, Interrupt

BACKEND = detect()


# The garbage collector may call back while a signal comes, where nothing can be raised.
pytestmark = [
    pytest.mark.needs("threads", "about OS threads"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::flowthings_like.green.UnretrievedFailure"),
]


def test_many_signals_at_random_moments_beside_another_thread():
    done = subprocess.run(
        [sys.executable, "-m", "tests.green.signals", "1500"],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1500 signals")


MODULES = (
    *(_primitives, _threads, future, batcher, dispatcher, gathering, queue),
    *(async_, bulk_method, lazy, task_future, thunk, views),
)
KINDS = ("read", "write", "alone", "functions", "imperative", "block")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_at_every_step_of_a_call(module, kind):
    """What others call through the same objects returns, whatever was being done."""
    platform = Platform()
    platform.fill(*"abc")
    lazy = LazyAPI(platform)
    interrupted, beside = (Caller(platform, lazy, lambda: AsyncAPI(platform)) for _ in range(2))
    for at in itertools.count(1):
        reached = interrupted_at(at, module, getattr(interrupted, kind))
        returned = threading.Event()
        threading.Thread(target=all_kinds, args=(beside, returned), daemon=True).start()
        assert returned.wait(30), f"a call waits for ever after an interrupt at place {at}"
        if not reached:
            break


def all_kinds(caller, returned):
    for kind in KINDS:
        getattr(caller, kind)()
    returned.set()


def hold_again_and_again(lock, queue):
    over = time.monotonic() + 1  # for ever, but for a signal that is lost in the garbage collector
    while time.monotonic() < over:
        with lock:
            queue.put(None)


def test_a_lock_of_c_in_a_with_statement_is_never_left_held():
    """What `_primitives` rests on."""

    def handler(number, frame):
        raise Interrupt

    before = signal.signal(signal.SIGALRM, handler)
    lock, queue, done = threading.Lock(), _primitives.queue.SimpleQueue(), 0
    try:
        for delay in itertools.islice(itertools.cycle(range(1, 60)), 3000):
            try:
                signal.setitimer(signal.ITIMER_REAL, delay * 1e-6)
                hold_again_and_again(lock, queue)
            except Interrupt:
                assert not lock.locked()
                done += 1
                while not queue.empty():
                    queue.get()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert done > 2900


PACKAGE = ROOT / "flowthings_like"
LOOPS = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
MAKES_A_LOCK = re.compile(r"\b(R?Lock|lock|allocate_lock|LockOfProcess|_NativeLock)\(")


def locks_in(tree):
    """The variables and attributes that a module assigns a lock to, as they are written there."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and MAKES_A_LOCK.search(
            ast.unparse(node.value or node)
        ):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update(ast.unparse(target) for target in targets)
    return found


def test_no_loop_stands_in_a_block_that_holds_a_lock():
    """The other half of that: since CPython 3.12 the jump at the end of a loop may be outside the block."""
    held = 0
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        locks = locks_in(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.With):
                entered = [ast.unparse(item.context_expr).removesuffix(".here") for item in node.items]
                if any(name in locks or name.endswith("lock") for name in entered):
                    held += 1
                    found = [inner.lineno for inner in ast.walk(node) if isinstance(inner, LOOPS)]
                    assert not found, f"{path.relative_to(PACKAGE)}:{node.lineno}"
    assert held > 70


OWN_THREAD = "runs in a thread of its own, never in the main thread"
RELOADED = "the database is loaded again after an exception"
LOOPS_TO_UNDO = {
    ("green/batching/batcher.py", "_send_batches"): OWN_THREAD,
    ("platform/resources/drops/index_builder.py", "_work"): OWN_THREAD,
    ("platform/store/group_commit.py", "_dispatch"): OWN_THREAD,
    ("platform/store/writer.py", "_attempt"): OWN_THREAD,
    ("platform/bus/redis_bus.py", "_hear"): OWN_THREAD,
    ("platform/tasks/service.py", "_lead"): OWN_THREAD,
    ("platform/things/database/commits.py", "_run"): OWN_THREAD,
    ("platform/live/feed.py", "_run"): OWN_THREAD,
    ("platform/live/sockets.py", "_write"): OWN_THREAD,
    ("platform/scripts/process.py", "exchange"): OWN_THREAD,
    ("platform/scripts/sandbox.py", "serve"): "a process in which no signal handler runs",
    ("platform/sockets/listener.py", "_accept"): OWN_THREAD,
    ("platform/sockets/outbox.py", "_write"): OWN_THREAD,
    ("testing/proxy.py", "run"): OWN_THREAD,
    ("transport/things/connection.py", "_read"): OWN_THREAD,
    ("transport/grpc/connection.py", "_read"): OWN_THREAD,
    ("transport/things/connection.py", "_readable"): "runs in a hub",
    ("green/backends/hub_events.py", "wait"): "runs in a hub",
    (
        "transport/outbox.py",
        "send_queued",
    ): "at the loop's end it does not have the permit: there is nothing to undo",
    ("platform/server.py", "_try_ports"): "the process ends",
    ("platform/things/node.py", "__init__"): "the process ends, or the object is dropped with its sockets",
    ("platform/things/language/compiler/assignments.py", ""): RELOADED,
    ("platform/things/language/methods/lists.py", ""): RELOADED,
}


def loops_in(node):
    """The lines of the loops that run in the frame of a piece of code."""
    found = [node.lineno] if isinstance(node, LOOPS[:-1]) else []
    for inner in ast.iter_child_nodes(node):
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.GeneratorExp):
            found += loops_in(inner)
    return found


def undoes(node):
    """Whether this is a try statement that is to do something after any exception."""
    return isinstance(node, ast.Try) and (
        bool(node.finalbody)
        or any(
            handler.type is None or ast.unparse(handler.type) == "BaseException" for handler in node.handlers
        )
    )


def test_no_loop_stands_in_a_try_statement_that_undoes_something():
    """The same jump passes by `finally` and `except BaseException`; a function with the loop does not."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if undoes(node) and any(loops_in(statement) for statement in node.body):
                        found.add((place, "" if "language" in place else function.name))
    assert found == LOOPS_TO_UNDO.keys()


WRITTEN_IN_PYTHON = {
    *("Condition", "Event", "Semaphore", "BoundedSemaphore", "Barrier", "Timer", "Thread"),
    *("Queue", "LifoQueue", "PriorityQueue", "ThreadPoolExecutor"),
}
MODULES_OF_THEM = {"threading", "queue", "concurrent", "concurrent.futures"}
USES = {
    ("green/backends/_primitives.py", "Thread"): "started in a thread in which no signal handler runs",
    ("diagnostics/monitor/_eventlet.py", "Thread"): "a native thread beside eventlet's hub",
    ("testing/proxy.py", "Thread"): "started and joined by the one thread that starts and closes the proxy",
    ("testing/server.py", "Thread"): "started and joined by the one thread that starts and closes the server",
    ("transport/http/hub_sockets.py", "LifoQueue"): "each belongs to one hub: never used on plain threads",
}


def test_what_waits_in_python_code_is_not_shared_by_threads():
    """Their locks can be left held by a signal, see `_primitives`: what is used nevertheless has a reason."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        place = path.relative_to(PACKAGE).as_posix()
        imported = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module in MODULES_OF_THEM
            for alias in node.names
        }
        for node in ast.walk(tree):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            module, _, attribute = name.rpartition(".")
            used = attribute if module in MODULES_OF_THEM else imported.get(name)
            if used in WRITTEN_IN_PYTHON:
                found.add((place, used))
    assert found == USES.keys()


def test_an_event_that_was_set_wakes_all_however_often_the_setter_is_interrupted():
    for at in itertools.count(1):
        event = BACKEND.event()
        waiting = [threading.Thread(target=event.wait, daemon=True) for _ in range(3)]
        for thread in waiting:
            thread.start()
        while len(event._waiters) < 3:
            time.sleep(0.0005)
        reached = interrupted_at(at, _primitives, event.set)
        if event.is_set():  # then all of them go on, though the setter was interrupted
            for thread in waiting:
                thread.join(20)
                assert not thread.is_alive()
        event.set()
        for thread in waiting:
            thread.join(20)
            assert not thread.is_alive()
        if not reached:
            break


def test_a_cancelled_call_is_finished_however_often_that_is_interrupted():
    for at in itertools.count(1):
        gate = BACKEND.event()
        pool = BACKEND.pool(1)
        pool.spawn(gate.wait, 20)
        call = pool.spawn(len, "ab")
        reached = interrupted_at(at, _threads, call.cancel)
        call.cancel()
        assert call.ready()
        gate.set()
        call.outcome(20)
        if not reached:
            break

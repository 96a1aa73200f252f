"""Running scripts: what they can do, what stops them, and whose turn it is."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from flowthings_like.platform.permits import PermitLimits
from flowthings_like.platform.problems import BadRequest, NotFound, TooManyRequests, Unavailable
from flowthings_like.platform.scripts.batch import MOST_QUESTIONS, MOST_STOPPED
from flowthings_like.platform.scripts.runner import ScriptLimits, ScriptRunner, ScriptsTooLong
from flowthings_like.platform.scripts.script import Kind, Run, Script

from ..harness import at_once, until

DROP = {"elems": {"n": 5, "name": "é", "tags": ["a"], "ok": True}}
UNSTOPPABLE = "drop => { const a = new Array(2e5).fill(0); for (;;) a.indexOf(-1) }"
FOREVER = "drop => { for (;;) {} }"


@pytest.fixture
def runner() -> Iterator[ScriptRunner]:
    made = ScriptRunner()
    yield made
    made.close()


def track(source: str, owner: str = "acme") -> Script:
    return Script(Kind.TRACK, source, owner)


def no_answer(name: str, values: list[Any]) -> Any:
    raise AssertionError((name, values))


def run(runner: ScriptRunner, source: str, value: Any = DROP) -> Run:
    (found,) = runner.run(track(source), [value], no_answer)
    return found


def processes(runner: ScriptRunner) -> set[int]:
    """The ids of the running processes."""
    return {process._pid for process in runner._by_process[os.getpid()]._all if process._pid is not None}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("drop => drop", DROP),
        ("function (drop) { return drop.elems.n; }", 5),
        ("function named(drop) { drop.elems.n += 1; return drop.elems.n; };\n", 6),
        ("drop => drop.elems.n.value + drop.elems.name.value", "5é"),
        ("drop => [drop.elems.tags.value[0], drop.elems.ok.value]", ["a", True]),
        ("drop => null", None),
        ("drop => {}", None),
        ("drop => ({'/acme/x': [drop]})", {"/acme/x": [DROP]}),
        ("drop => NaN", None),
        ("drop => new Date(2026, 0, 1).toISOString()", "2026-01-01T00:00:00.000Z"),
        ("drop => typeof require + typeof process + typeof eval + typeof Function", "undefined" * 4),
    ],
)
def test_a_script_computes(runner: ScriptRunner, source: str, value: Any) -> None:
    assert run(runner, source) == Run(value)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("drop => {\n  return nothing;\n}", "line 2: ReferenceError: nothing is not defined"),
        ("drop => { leaked = 1; }", "line 1: ReferenceError: leaked is not defined"),
        ("drop => {\n return (\n}", "line 3: SyntaxError: "),
        ("drop => { throw new Flow.Error('too hot', {limit: 90}) }", "line 1: Flow.Error: too hot"),
        ("drop => { throw {code: 7} }", '{"code":7}'),
        ("5", "Flow.Error: js must be one function that takes the drop"),
        ("async drop => drop", "Flow.Error: the function must not be async"),
        ("drop => Flow.Http.post('http://example.com')", "a script reaches nothing outside"),
        ("drop => 'x'.repeat(2e6)", "it returned more than 256 KiB of JSON"),
        ("drop => 2n", "TypeError: "),
        ("drop => '\\ud800'", "what is no JSON"),
        (FOREVER, "it took more than 0.2 s"),
        ("drop => { for (;;) try { for (;;) {} } catch (e) {} }", "it took more than 0.2 s"),
        ("drop => /(a+)+$/.test('a'.repeat(50) + 'b')", "it took more than 0.2 s"),
        ("drop => { throw {toString() { for (;;) {} }, toJSON() { for (;;) {} }} }", "more than 0.2 s"),
        ("for (;;) {}", "SyntaxError"),
        ("(() => { for (;;) {} })()", "it took more than 0.2 s"),
        ("drop => { const f = () => f(); f(); }", "call stack size exceeded"),
        ("drop => { const all = []; for (;;) all.push({}); }", "out of memory"),
        ("drop => new Array(1e9).fill(1)", "out of memory"),
        ("drop => { let o = {}; for (let i = 0; i < 1e5; i++) o = {o}; return o; }", "call stack size"),
        (UNSTOPPABLE, "it took too long, and its process was ended"),
        ("drop => 'a\0b'", "the source holds a character NUL"),
    ],
)
def test_a_script_that_fails_says_why(runner: ScriptRunner, source: str, error: str) -> None:
    found = run(runner, source)
    assert found.error is not None
    assert error in found.error
    assert found.value is None
    assert run(runner, "drop => drop.elems.n") == Run(5)


def test_a_script_cannot_change_what_runs_it(runner: ScriptRunner) -> None:
    source = """drop => {
        JSON.stringify = () => 'x'; Array.prototype.push = 5; RegExp.prototype.exec = null;
        Object.prototype.toJSON = undefined; globalThis.answers = {};
        try { Flow.Drop = 5; } catch (e) { console.log(e.name); }
        try { console.log = 5; } catch (e) { console.log(e.name); }
        return drop.elems.n;
    }"""
    found = run(runner, source)
    assert (found.value, [each["message"] for each in found.log]) == (5, ["TypeError", "TypeError"])
    assert run(runner, "drop => JSON.stringify([drop.elems.n])") == Run("[5]")


def test_it_logs_lines(runner: ScriptRunner) -> None:
    found = run(runner, "drop => {\n  console.log('n is', drop.elems.n, {a: [1]});\n  Flow.log(null);\n}")
    assert found.log == [
        {"line_no": 2, "message": 'n is 5 {"a":[1]}'},
        {"line_no": 3, "message": "null"},
    ]
    assert (
        len(run(runner, "drop => { for (let i = 0; i < 500; i++) console.log('x'.repeat(5000)) }").log) == 100
    )


def test_it_asks_and_is_answered(runner: ScriptRunner) -> None:
    asked: list[Any] = []

    def answer(name: str, values: list[Any]) -> Any:
        asked.append((name, values))
        if name == "Flow.get":
            raise NotFound("there is no flow")
        return {"elems": {"n": 1}}

    source = """drop => {
        const last = Flow.Drop.findOne('/acme/x', {filter: 'n > ' + drop.n});
        last.elems.n += 1;
        const again = Flow.Drop.findOne('/acme/x', {filter: 'n > ' + drop.n});
        try { Flow.Flow.get('/acme/y'); }
        catch (e) { return [last.elems.n, again.elems.n, e.message, e.name]; }
    }"""
    found = runner.run(track(source), [{"n": 1}, {"n": 2}], answer)
    assert found == [Run([2, 1, "there is no flow", "Flow.Error"])] * 2
    assert [values[1] for name, values in asked if name == "Drop.findOne"] == [
        {"filter": "n > 1"},
        {"filter": "n > 2"},
    ]
    (found_,) = runner.run(track("() => { for (let i = 0; ; i++) Flow.Drop.get(i) }"), [0], lambda *_: 0)
    assert found_.error == f"it asks for more than {MOST_QUESTIONS} things"


def test_slow_answers_are_given_in_slices(runner: ScriptRunner) -> None:
    turns: list[float] = []

    def answer(name: str, values: list[Any]) -> Any:
        turns.append(values[0])
        time.sleep(0.04)
        return values[0] * 2

    found = runner.run(track("d => Flow.Drop.get(d)"), range(8), answer)
    assert [each.value for each in found] == [2 * n for n in range(8)]
    assert sorted(turns) == list(range(8))


def test_a_task_has_two_parts(runner: ScriptRunner) -> None:
    source = "new Task({request: {uri: 'http://x'}, callback: text => [{elems: {n: text.length}}]})"
    script = Script(Kind.TASK, source, "acme")
    request, drops = runner.run(script, [{}, {"text": "abc"}], no_answer)
    assert (request.value, drops.value) == ({"uri": "http://x"}, [{"elems": {"n": 3}}])
    (found,) = runner.run(Script(Kind.TASK, "({})", "acme"), [{}], no_answer)
    assert "js must be new Task(" in str(found.error)


def test_many_inputs_keep_their_order_around_one_that_is_stopped(runner: ScriptRunner) -> None:
    source = "d => { if (d === 1500) for (;;) {} return d; }"
    found = runner.run(track(source), range(3000), no_answer)
    assert [each.value for each in found if each.error is None] == [n for n in range(3000) if n != 1500]
    assert found[1500].error == "it took more than 0.2 s"


def test_after_some_stops_the_rest_is_not_run(runner: ScriptRunner) -> None:
    found = runner.run(track(FOREVER), range(10), no_answer)
    assert [each.error for each in found[:MOST_STOPPED]] == ["it took more than 0.2 s"] * MOST_STOPPED
    assert {each.error for each in found[MOST_STOPPED:]} == {"not run, because js was stopped 3 times before"}


def test_all_inputs_together_take_a_limited_time() -> None:
    runner = ScriptRunner(ScriptLimits(total=0.3, slice=0.05))
    slow = "d => { const end = Date.now() + 50; while (Date.now() < end); return d; }"
    with pytest.raises(ScriptsTooLong, match="write fewer at a time"):
        runner.run(track(slow), range(100), no_answer)
    runner.close()


def test_a_source_is_checked_without_an_input(runner: ScriptRunner) -> None:
    runner.check(track("drop => drop"))
    with pytest.raises(BadRequest, match=r"js: line 2: SyntaxError"):
        runner.check(track("drop => {\n"))


def test_the_processes_are_used_again_and_ended() -> None:
    runner = ScriptRunner()
    run(runner, "drop => 1")
    first = processes(runner)
    run(runner, "drop => 2")
    assert processes(runner) == first
    assert len(first) == 1
    runner.close()
    runner.close()
    for pid in first:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(Unavailable, match="closed"):
        run(runner, "drop => 1")


def test_a_process_that_is_killed_from_outside_is_replaced(runner: ScriptRunner) -> None:
    run(runner, "drop => 1")
    (pid,) = processes(runner)
    os.kill(pid, 9)
    found = run(runner, "drop => 1")
    assert found == Run(1) or "its process was ended" in str(found.error)
    assert run(runner, "drop => 1") == Run(1)
    assert processes(runner) != {pid}


def test_quick_scripts_do_not_wait_for_hostile_ones(runner: ScriptRunner) -> None:
    enemy = Script(Kind.TRACK, FOREVER, "enemy")
    runner.run(enemy, [1], no_answer)
    run(runner, "drop => drop.elems.n")
    attacks: list[int] = []
    stop = threading.Event()

    def attack() -> None:
        while not stop.is_set():
            with suppress(TooManyRequests):
                runner.run(enemy, [1], no_answer)
                attacks.append(1)

    enemies = [threading.Thread(target=attack) for _ in range(8)]
    for each in enemies:
        each.start()
    try:
        until(lambda: len(attacks) > 0)
        before = len(attacks)
        for _ in range(50):
            assert run(runner, "drop => drop.elems.n") == Run(5)
        during = len(attacks) - before
    finally:
        stop.set()
        for each in enemies:
            each.join()
    assert during < 25  # one that waits for a hostile script lets at least one of them end


def test_one_account_waits_for_its_turn_and_not_for_ever() -> None:
    few = PermitLimits(per_caller=1, total=1, waiting=1, timeout=0.05)
    runner = ScriptRunner(ScriptLimits(new=few, slow=few))
    results = at_once([lambda: runner.run(track(FOREVER), [1], no_answer)] * 5)
    assert any(isinstance(result, TooManyRequests) for result in results)
    assert any(isinstance(result, list) for result in results)
    runner.close()


@pytest.mark.needs("green", "an OS thread cannot be interrupted")
def test_a_caller_that_is_interrupted_leaves_nothing_behind(runner: ScriptRunner) -> None:
    from flowthings_like.errors import DeadlineExceeded
    from flowthings_like.green.backends.choice import detect

    run(runner, "drop => 1")
    for _ in range(5):
        with pytest.raises(DeadlineExceeded), detect().deadline(0.05):
            run(runner, FOREVER)
    started = time.monotonic()
    assert run(runner, "drop => 1") == Run(1)
    assert time.monotonic() - started < 10
    until(lambda: len(processes(runner)) <= 3)  # for scripts that were quick, are new, or were slow


def test_without_the_engine_it_says_what_to_install(
    runner: ScriptRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowthings_like.platform.scripts.process.find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"pip install 'flowthings_like\[js\]'"):
        run(runner, "drop => drop")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_starts_its_own(runner: ScriptRunner) -> None:
    run(runner, "drop => 1")
    before = processes(runner)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            fine = run(runner, "drop => 2") == Run(2) and not (processes(runner) & before)
            runner.close()
            status = 0 if fine else 2
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert run(runner, "drop => 3") == Run(3)
    assert processes(runner) == before

"""When a call is repeated, how long the pauses are, and what is left of the deadline. The clock is a fake."""

from __future__ import annotations

import json
import logging
import math
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowthings_like import (
    API,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    FlowThingsBadRequest,
    FlowThingsServerError,
    FlowThingsUnavailable,
    InvalidInput,
    Retry,
    Token,
    defaults,
)
from flowthings_like.transport.retry import (
    Backoff,
    Clock,
    Timeout,
    call_with_retries,
    new_idempotency_key,
    parse_timeout,
    retry_after,
)

from ..services.support import Answer, Seen, echo, envelope, serving


class FakeClock(Clock):
    """Time that passes only while somebody sleeps, or is made to."""

    def __init__(self, chances: Iterator[float] | None = None) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self.chances = chances

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return 1_700_000_000.0 + self.time

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.time += seconds

    def jitter(self) -> float:
        return 1.0 if self.chances is None else next(self.chances)


class Script:
    """An attempt that takes time and comes to what the script says: an exception, or (status, headers)."""

    def __init__(self, clock: FakeClock, outcomes: list[Any], lasts: float = 0.0) -> None:
        self.clock, self.outcomes, self.lasts = clock, outcomes, lasts
        self.given: list[Timeout] = []

    def __call__(self, timeout: Timeout) -> tuple[Any, dict[str, str], int]:
        self.given.append(timeout)
        self.clock.time += self.lasts
        outcome = self.outcomes[min(len(self.given), len(self.outcomes)) - 1]
        if isinstance(outcome, BaseException):
            raise outcome
        status, headers = outcome if isinstance(outcome, tuple) else (outcome, {})
        return b"", headers, status


def run(script: Script, policy: Retry | None, timeout: Any = (1.0, 2.0), repeatable: bool = True) -> Any:
    return call_with_retries(
        script, policy, parse_timeout(timeout), repeatable=repeatable, clock=script.clock
    )


def failing(**attributes: Any) -> ConnectionFailed:
    error = ConnectionFailed("broken")
    vars(error).update(attributes)
    return error


ROUNDING = 1e-9  # seconds: the clock's figures are large, what is left of them small
PLAIN = Retry(attempts=4, base=1.0, most=3.0)


def test_pauses_grow_up_to_a_limit() -> None:
    script = Script(FakeClock(), [failing()])
    with pytest.raises(ConnectionFailed) as caught:
        run(script, Retry(attempts=6, base=1.0, most=5.0))
    assert script.clock.slept == [1, 2, 4, 5, 5]
    assert caught.value.attempts == 6
    assert str(caught.value) == "broken (after 6 attempts)"


def test_back_off_doubles_up_to_a_limit() -> None:
    backoff = Backoff(base=1.0, most=60.0)
    assert [backoff.longest(failures) for failures in (0, 1, 2, 3, 6, 7, 5000)] == [0, 1, 2, 4, 32, 60, 60]
    assert backoff.pause(0) == 0.0
    assert backoff.pause(3, jitter=0.25) == 1.0
    pauses = [backoff.pause(3) for _ in range(300)]
    assert min(pauses) < 1 < 3 < max(pauses) < 4


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_answers_that_ask_for_another_try_get_it(status: int) -> None:
    script = Script(FakeClock(), [status, status, 200])
    answer, attempts = run(script, PLAIN)
    assert (answer[2], attempts) == (200, 3)
    assert script.clock.slept == [1, 2]


@pytest.mark.parametrize("status", [200, 201, 301, 400, 401, 403, 404, 413, 500])
def test_other_answers_are_final(status: int) -> None:
    script = Script(FakeClock(), [status])
    assert run(script, PLAIN)[1] == 1


def test_the_last_answer_is_handed_on_when_the_attempts_are_used_up() -> None:
    script = Script(FakeClock(), [503])
    answer, attempts = run(script, PLAIN)
    assert (answer[2], attempts) == (503, 4)


class Interrupt(BaseException):
    """A green time-out, a kill."""


@pytest.mark.parametrize("error", [Interrupt(), KeyboardInterrupt(), InvalidInput("no"), ZeroDivisionError()])
def test_other_exceptions_are_raised_at_once(error: BaseException) -> None:
    script = Script(FakeClock(), [error, 200])
    with pytest.raises(type(error)):
        run(script, PLAIN)
    assert len(script.given) == 1


def test_a_call_that_may_have_arrived_is_repeated_only_if_repeatable() -> None:
    for error, attempts in ((failing(), 1), (failing(sent=False), 4), (failing(retryable=False), 1)):
        script = Script(FakeClock(), [error])
        with pytest.raises(ConnectionFailed):
            run(script, PLAIN, repeatable=False)
        assert len(script.given) == attempts
    assert run(Script(FakeClock(), [503]), PLAIN, repeatable=False)[1] == 1
    script = Script(FakeClock(), [failing(retryable=False)])
    with pytest.raises(ConnectionFailed):
        run(script, PLAIN)
    assert len(script.given) == 1


def test_retry_after_is_added_to_the_pause() -> None:
    clock = FakeClock()
    date = formatdate(clock.wall() + 1 + 20, usegmt=True)
    script = Script(clock, [(503, {"Retry-After": "7"}), (429, {"retry-after": date}), 200])
    run(script, Retry(base=1.0), timeout=60)
    first, second = clock.slept
    assert first == 7 + 1
    assert 10 < second <= 22
    for said, seconds in {
        "0": 0,
        "120": 120,
        " 3 ": 3,
        "soon": None,
        "-1": None,
        "": None,
        "1e3": None,
    }.items():
        assert retry_after({"Retry-After": said}, 0) == seconds
    assert retry_after({"Retry-After": formatdate(50, usegmt=True)}, 100) == 0
    assert retry_after({}, 0) is None
    assert retry_after({"Retry-After": "9" * 400}, 0) == math.inf


def test_a_pause_beyond_the_deadline_fails_at_once() -> None:
    script = Script(FakeClock(), [(503, {"Retry-After": "31"}), 200])
    answer, attempts = run(script, PLAIN, timeout=30)
    assert (answer[2], attempts, script.clock.slept) == (503, 1, [])
    script = Script(FakeClock(), [(503, {"Retry-After": "28"}), 200])
    assert run(script, PLAIN, timeout=30)[1] == 2


def test_one_number_is_for_the_whole_call() -> None:
    script = Script(FakeClock(), [failing()], lasts=3.0)
    with pytest.raises(ConnectionFailed):
        run(script, Retry(attempts=10, base=1.0, most=1.0), timeout=10)
    # Three attempts of 3 seconds, two pauses of 1; a third pause would end as the time does.
    # What a dead connection may take is half of it, so that another attempt has the rest.
    assert script.given == [(10, 10, 10, 5), (6, 6, 6, 3), (2, 2, 2, 1)]
    assert script.clock.slept == [1, 1]


def test_two_numbers_are_for_each_attempt() -> None:
    script = Script(FakeClock(), [failing()], lasts=3.0)
    with pytest.raises(ConnectionFailed):
        run(script, Retry(attempts=10, base=1.0, most=1.0, within=10.0), timeout=(4.0, 5.0))
    assert script.given == [(4, 5, None, 2.5), (4, 5, None, 2.5), (4, 5, None, 1)]
    script = Script(FakeClock(), [failing()], lasts=1e6)
    with pytest.raises(ConnectionFailed):
        run(script, Retry(attempts=3), timeout=math.inf)
    assert script.given == [(None, None, None, None)] * 3
    # The last attempt has none after it, and one that may not be repeated has none either.
    script = Script(FakeClock(), [failing()], lasts=1.0)
    with pytest.raises(ConnectionFailed):
        run(script, Retry(attempts=2, base=0), timeout=(4.0, 5.0))
    assert script.given == [(4, 5, None, 2.5), (4, 5, None, None)]


def test_without_a_policy_there_is_one_attempt() -> None:
    for policy in (None, Retry(attempts=1)):
        script = Script(FakeClock(), [failing()])
        with pytest.raises(ConnectionFailed) as caught:
            run(script, policy)
        assert len(script.given) == 1
        assert str(caught.value) == "broken"


@pytest.mark.once
@settings(deadline=None, max_examples=300)
@given(
    attempts=st.integers(1, 12),
    base=st.floats(0, 10),
    most=st.floats(0, 20),
    timeout=st.one_of(st.floats(0.01, 60), st.tuples(st.floats(0.01, 5), st.floats(0.01, 5))),
    lasts=st.floats(0, 5),
    chances=st.lists(st.floats(0, 1), min_size=12, max_size=12),
    outcomes=st.lists(
        st.one_of(st.just(None), st.sampled_from([503, 429]), st.integers(0, 30)), min_size=1, max_size=12
    ),
)
@example(2, 0.0, 0.0, 1.6997596579303362, 0.0, [0.0] * 12, [None])  # what is left rounds up
@example(2, 0.0, 0.0, 1.5845564193144348, 0.0, [0.0] * 12, [None])
def test_the_law_of_pauses(
    attempts: int,
    base: float,
    most: float,
    timeout: Any,
    lasts: float,
    chances: list[float],
    outcomes: list[int | None],
) -> None:
    """Each pause lies in its range, above what the platform asked; none outlasts the deadline."""
    policy = Retry(attempts=attempts, base=base, most=most, within=30.0)
    clock = FakeClock(iter(chances))
    told = [
        failing() if each is None else each if each > 400 else (503, {"Retry-After": str(each)})
        for each in outcomes
    ]
    script = Script(clock, told, lasts)
    begun = clock.now()
    try:
        _, made = run(script, policy, timeout)
    except ConnectionFailed as error:
        made = error.attempts
    assert made == len(script.given) == len(clock.slept) + 1 <= attempts
    for number, pause in enumerate(clock.slept):
        asked = outcomes[min(number, len(outcomes) - 1)]
        least = asked if asked is not None and asked < 400 else 0
        longest = min(most, base * 2**number)
        assert pause == pytest.approx(least + chances[number] * longest)
        assert least <= pause <= least + longest
    bound = timeout if isinstance(timeout, float) else 30.0
    last_attempt_began = clock.now() - begun - lasts
    assert last_attempt_began <= bound + ROUNDING or made == 1
    if isinstance(timeout, float):
        assert all(given.total is not None and given.total <= timeout + ROUNDING for given in script.given)
        assert all(given.read == pytest.approx(given.total, abs=ROUNDING) for given in script.given)
    else:
        assert {given[:3] for given in script.given} == {(*timeout, None)}
    for one in script.given:
        assert one.reused is None or 0 < one.reused <= max((one.read or 0) / 2, 0.001)


def test_jitter_is_spread_and_independent_of_the_programs_seed() -> None:
    import random

    random.seed(1)
    expected = random.random()
    random.seed(1)
    drawn = [Clock().jitter() for _ in range(200)]
    assert random.random() == expected
    assert len(set(drawn)) == 200
    assert all(0 <= each < 1 for each in drawn)


def test_policies_are_values() -> None:
    assert Retry() == Retry()
    assert Retry().new(attempts=9) == Retry(attempts=9) != Retry()
    assert pickle.loads(pickle.dumps(Retry(base=0.5))) == Retry(base=0.5)
    with pytest.raises(AttributeError):
        Retry().attempts = 3  # type: ignore[misc]
    with pytest.raises(InvalidInput, match="Retry has no tries: it has attempts, base"):
        Retry().new(tries=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": True},
        {"attempts": 1.5},
        {"base": -1},
        {"most": math.nan},
        {"within": "1"},
        {"statuses": 503},
        {"statuses": (200,)},
    ],
)
def test_invalid_policies_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"Retry: {next(iter(wrong))} is "):
        Retry(**wrong)


def test_keys_are_random_and_in_order() -> None:
    keys = [new_idempotency_key() for _ in range(2000)]
    assert len({key[12:] for key in keys}) == 2000
    assert [key[:12] for key in keys] == sorted(key[:12] for key in keys)
    assert {len(key) for key in keys} == {32}


CREDS = Token("acc", "s3cret-token")


@contextmanager
def platform(answers: Callable[[int], Answer], **options: Any) -> Iterator[tuple[API, list[Seen], FakeClock]]:
    """An API on a server that gives `answers(n)` to the n-th request, with a clock that waits for nothing."""
    seen: list[Seen] = []

    def answer(request: Seen) -> Answer:
        seen.append(request)
        return answers(len(seen))

    with (
        serving(answer) as server,
        API(CREDS, host=server.address, **{"secure": False, "timeout": 60, **options}) as api,
    ):
        api._connection.clock = clock = FakeClock()
        yield api, seen, clock


def unavailable(status: int = 503, **headers: str) -> Answer:
    body = json.dumps(envelope({}, status, errors=["come back later"])).encode()
    return Answer(status, body, {"Content-Type": "application/json", **headers})


def until(number: int) -> Callable[[int], Answer]:
    return lambda n: Answer() if n >= number else unavailable()


def test_every_write_carries_a_key_and_keeps_it() -> None:
    with platform(lambda n: Answer() if n % 2 == 0 else unavailable()) as (api, seen, _):
        api.flow.create({"path": "/acc/a"})
        api.flow.update({"id": "f1", "capacity": 1})
        api.flow.update_many([{"id": "f1", "capacity": 1}])
        api.flow.update_member("f1", "capacity", 2)
        api.flow.delete("f1")
        api.drop("f1").create({"elems": {"a": 1}})
        api.drop("f1").create_many([{"elems": {"a": 1}}])
        api.drop("f1").delete_all()
        api.root.raw_request("POST", "/flow", b"{}")
    keys = [request.headers["idempotency-key"] for request in seen]
    assert len(seen) == 18
    assert keys[::2] == keys[1::2]
    assert len(set(keys)) == 9
    assert [request.body for request in seen[::2]] == [request.body for request in seen[1::2]]


def test_reads_carry_no_key_and_are_repeated_too() -> None:
    with platform(until(3)) as (api, seen, clock):
        api.flow.find()
        api.flow.read_many(["f1"])
    assert len(seen) == 4
    assert not any("idempotency-key" in request.headers for request in seen)
    assert len(clock.slept) == 2


def test_the_error_in_the_end_says_how_often(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "flowthings_like")
    with (
        platform(lambda n: unavailable(504)) as (api, seen, _),
        pytest.raises(FlowThingsUnavailable) as caught,
    ):
        api.flow.create({"path": "/acc/a"})
    error = pickle.loads(pickle.dumps(caught.value))
    for each in (caught.value, error):
        assert (each.attempts, each.status, len(seen)) == (5, 504, 5)
        assert str(each) == "POST /flow: 504: come back later (after 5 attempts)"
    assert "s3cret" not in str(caught.value) + caplog.text
    assert caplog.text.count("; again in ") == 4


def test_gateways_speak_no_json() -> None:
    html = Answer(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"})
    with platform(lambda n: html) as (api, _, _), pytest.raises(FlowThingsUnavailable, match="after 5 att"):
        api.flow.find()
    with platform(lambda n: html if n < 3 else Answer()) as (api, seen, _):
        api.flow.find()
    assert len(seen) == 3


@pytest.mark.parametrize("status", [400, 500])
def test_a_refused_call_is_not_repeated(status: int) -> None:
    with (
        platform(lambda n: unavailable(status)) as (api, seen, _),
        pytest.raises((FlowThingsBadRequest, FlowThingsServerError)) as caught,
    ):
        api.flow.find()
    assert len(seen) == caught.value.attempts == 1


def test_each_place_where_a_policy_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with platform(lambda n: unavailable(), retry=Retry(attempts=2)) as (api, seen, _):
        for policy, attempts in ((None, 2), (False, 1), (Retry(attempts=3), 3)):
            del seen[:]
            with pytest.raises(FlowThingsUnavailable):
                api.flow.find(retry=policy)
            assert len(seen) == attempts
            assert "retry" not in seen[0].target
        del seen[:]
        with pytest.raises(FlowThingsUnavailable):
            list(api.flow.iterate(retry=False))
        assert len(seen) == 1
        with pytest.raises(InvalidInput, match="give a Retry, or False"):
            api.flow.find(retry=3)
    for off in (False, None):
        monkeypatch.setattr(defaults, "retry", off)
        with platform(lambda n: unavailable()) as (api, seen, _):
            with pytest.raises(FlowThingsUnavailable):
                api.flow.find()
            assert len(seen) == 1
    with pytest.raises(InvalidInput, match="give a Retry"):
        API(CREDS, retry="yes")  # type: ignore[arg-type]


def test_a_platform_that_keeps_no_keys() -> None:
    with platform(until(2), retry=Retry(writes=False)) as (api, seen, _):
        with pytest.raises(FlowThingsUnavailable):
            api.flow.create({"path": "/acc/a"})
        del seen[:]
        api.flow.find()
        assert len(seen) == 2


def test_a_callers_own_function_gets_each_call_once() -> None:
    asked: list[dict[str, Any]] = []

    def sender(method: str, url: str, **given: Any) -> Any:
        asked.append(given)
        if len(asked) == 2:
            raise ConnectionFailed("broken")
        status = 503 if len(asked) == 1 else 200
        return json.dumps(envelope({}, status)), {}, status

    api = API(CREDS, request=sender)
    with pytest.raises(FlowThingsUnavailable):
        api.flow.create({"path": "/acc/a"})
    with pytest.raises(ConnectionFailed):
        api.flow.create({"path": "/acc/a"})
    api.flow.create({"path": "/acc/a"}, timeout=3)
    assert [sorted(given) for given in asked] == [
        ["creds", "data", "params"],
        ["creds", "data", "params"],
        ["creds", "data", "params", "timeout"],
    ]
    assert asked[2]["timeout"] == (3.0, 3.0)
    assert echo("GET", "u")[2] == 200


def test_an_untrusted_certificate_is_not_retried(certificate: tuple[Path, Path]) -> None:
    with serving(tls=certificate) as server, API(CREDS, host=server.address, timeout=10) as api:
        api._connection.clock = clock = FakeClock()
        with pytest.raises(ConnectionFailed, match="TLS") as caught:
            api.flow.find()
    assert clock.slept == []
    assert caught.value.attempts == 1


def test_closing_ends_the_waiting_too() -> None:
    with platform(lambda n: unavailable()) as (api, seen, clock):
        clock.sleep = lambda seconds: api.close()  # type: ignore[method-assign, assignment]
        with pytest.raises(ConfigurationError, match="closed"):
            api.flow.find()
    assert len(seen) == 1


def test_a_pause_can_be_interrupted() -> None:
    def interrupted(seconds: float) -> None:
        raise Interrupt

    with platform(until(2)) as (api, seen, clock):
        clock.sleep = interrupted  # type: ignore[method-assign, assignment]
        with pytest.raises(Interrupt):
            api.flow.create({"path": "/acc/a"})
        assert len(seen) == 1
        assert api.flow.find() == {"id": "f1"}


def test_running_out_of_time_says_so() -> None:
    script = Script(FakeClock(), [DeadlineExceeded("late")], lasts=30.0)
    with pytest.raises(DeadlineExceeded) as caught:
        run(script, PLAIN, timeout=30)
    assert caught.value.attempts == len(script.given) == 1

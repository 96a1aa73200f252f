"""`then` and `catch`: functions that run by themselves when a call is done, and thunks of their results."""

import gc
import pickle
import threading
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from flowthings_like.errors import CallCancelled, DeadlineExceeded, FlowThingsNotFound, WrongThread
from flowthings_like.green import (
    GreenThunk,
    LazyAPI,
    UnretrievedFailure,
    detect,
    force,
    is_ready,
    native,
)

from ..bulky import Platform
from ..fakes import Api, interrupted, tenant, until

BACKEND = detect()
GREEN = BACKEND.name != "threads"


@pytest.fixture
def api():
    return Api()


@pytest.fixture
def lazy(api):
    return LazyAPI(api)


@pytest.fixture
def gate():
    gate = BACKEND.event()
    yield gate
    gate.set()


@pytest.fixture
def platform():
    platform = Platform()
    platform.fill(*"abc")
    platform.gate = BACKEND.event()
    yield platform
    platform.gate.set()


def boom(*_):
    raise ValueError("boom")


def unseen(recorded):
    return [str(w.message) for w in recorded if w.category is UnretrievedFailure]


# Values and failures


def test_each_function_gets_what_the_one_before_returned(lazy):
    first = lazy.flow.give(20)
    last = (
        first.then(lambda value: value + 1).then(lambda value, by: value * by, 2).then(str, "utf8"[:0] or "")
    )
    assert type(last) is GreenThunk
    with pytest.raises(TypeError):
        force(last)  # str(42, "") is none
    assert first.then(lambda value: value + 1).then(lambda value, by: value * by, by=2) == 42
    assert first == 20


def test_a_failure_passes_by_then_and_a_value_by_catch(lazy):
    ran = []
    failed = lazy.flow.fail(ValueError("boom"))
    for last in (failed.then(ran.append), failed.then(ran.append).then(ran.append)):
        with pytest.raises(ValueError, match="boom") as caught:
            force(last)
        assert "fail" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        notes = "".join(caught.value.__notes__)
        assert "flow.fail called at" in notes
        assert "then(list.append) called at" in notes
    assert lazy.flow.give([1]).catch(ran.append).then(len) == 1
    assert ran == []


def test_catch_gets_the_exception_and_the_chain_goes_on_with_what_it_returns(lazy):
    error = ValueError("boom")
    chain = lazy.flow.fail(error).then(len).catch(lambda found, mark: (type(found), str(found), mark), "!")
    assert chain.then(list) == [ValueError, "boom", "!"]


def test_what_a_function_raises_is_the_new_thunks_failure(lazy):
    raised = lazy.flow.give(1).then(boom)
    assert raised.catch(str) == "boom"
    with pytest.raises(ValueError, match="boom") as caught:
        len(raised)
    assert "boom" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert "then(boom) called at" in caught.value.__notes__[0]

    def other(error):
        raise KeyError("other") from error

    with pytest.raises(KeyError, match="other") as also:
        force(raised.catch(other))
    assert isinstance(also.value.__cause__, ValueError)


def test_catch_may_raise_what_it_got(lazy):
    def again(error):
        raise error

    for _ in range(2):
        with pytest.raises(ValueError, match="boom"):
            force(lazy.flow.give(1).then(boom).catch(again))


def test_a_function_may_return_a_thunk_and_get_thunks(lazy, gate):
    late = lazy.flow.wait(gate, 3)
    chain = lazy.flow.give(4).then(lambda value, more: lazy.flow.give(value + more[0]), [late])
    assert not is_ready(chain)
    gate.set()
    assert type(chain.force()) is int
    assert chain == 7
    assert lazy.flow.give(1).then(lambda _: lazy.flow.give(2).then(lambda value: lazy.flow.give(value))) == 2
    assert lazy.flow.give(1).then(lambda _: lazy.flow.fail(ValueError("inner"))).catch(str) == "inner"


def test_twisteds_names(lazy):
    value, failed = lazy.flow.give(1), lazy.flow.fail(ValueError("boom"))
    assert value.addCallback(lambda found, more: found + more, 2).addErrback(boom) == 3
    assert failed.addErrback(str) == "boom"
    assert value.addCallbacks(lambda found: found + 1, boom) == 2
    assert failed.addCallbacks(boom, str) == "boom"
    assert value.addBoth(str) + failed.addBoth(str) == "1boom"
    with pytest.raises(ValueError, match="boom"):
        force(value.addCallbacks(boom, lambda error: "not for what the callback raises"))


def test_the_value_of_a_thunk_that_is_here_is_chained_to_as_well(lazy):
    thunk = lazy.flow.give([1])
    value = force(thunk)
    assert thunk.then(lambda found: found is value)
    assert force(thunk.catch(boom)) is value


def test_the_values_own_attributes_of_these_names_are_reached_by_force(lazy):
    class Promise:
        def then(self, function):
            return "the value's own"

    assert force(lazy.flow.give(Promise())).then(len) == "the value's own"
    assert lazy.flow.give(Promise()).then(type) == Promise


def test_repr_does_not_wait_and_names_the_place(lazy, gate):
    chain = lazy.flow.wait(gate, [1]).then(len)
    assert repr(chain).startswith("<GreenThunk pending: then(len) called at ")
    assert "test_chaining.py" in repr(chain)
    gate.set()
    assert chain == 1
    assert repr(chain) == "<GreenThunk ready: 1>"


def test_a_chained_thunk_pickles_as_its_value(lazy, gate):
    chain = lazy.flow.wait(gate, [1]).then(lambda value: {"ids": value})
    BACKEND.spawn(gate.set)
    assert pickle.loads(pickle.dumps([chain, chain.then(len)])) == [{"ids": [1]}, 1]


def test_only_thunks_of_lazy_calls_are_chained_to(lazy):
    with pytest.raises(TypeError, match="lazy"):
        GreenThunk(lazy.flow.give(1)._future).then(len)


# Running by itself


def test_it_may_block_and_make_calls(api, lazy, gate):
    ended = []

    def work(value):
        BACKEND.sleep(0.001)
        ended.append(lazy.flow.wait(gate, value) + 1)

    for number in range(5):
        lazy.flow.give(number).then(work)
    until(lambda: api.flow.running == 5)
    gate.set()
    until(lambda: len(ended) == 5)


def test_a_done_call_starts_it_as_well(lazy):
    thunk, seen = lazy.flow.give(1), []
    until(lambda: is_ready(thunk))
    thunk.then(seen.append)
    until(lambda: seen == [1])
    failed = lazy.flow.fail(ValueError("boom"))
    until(lambda: is_ready(failed))
    failed.catch(seen.append)
    until(lambda: len(seen) == 2)


def test_context_is_that_of_then(lazy, gate):
    chain = lazy.flow.wait(gate)
    token = tenant.set("acme")
    chain = chain.then(lambda _: tenant.get())
    tenant.reset(token)
    gate.set()
    assert chain == "acme"


def test_batched_reads(platform):
    lazy, seen = LazyAPI(platform), []
    thunks = [lazy.flow.read(id) for id in "abcab"]
    chains = [thunk.then(lambda flow: flow["id"] * 2) for thunk in thunks]
    missing = lazy.flow.read("missing").catch(lambda error: type(error).__name__)
    missing.then(seen.append)
    chains[0].then(seen.append)
    platform.gate.set()
    until(lambda: len(seen) == 2)
    assert sorted(seen) == ["FlowThingsNotFound", "aa"]
    assert chains == ["aa", "bb", "cc", "aa", "bb"]
    assert len(platform.requests) <= 4


def test_batched_writes_and_finds(platform):
    platform.gate.set()
    lazy = LazyAPI(platform)
    made = [lazy.flow.create({"value": number}).then(lambda flow: flow["value"]) for number in range(25)]
    assert made == list(range(25))
    assert lazy.flow.find(20).then(len) == 5
    assert lazy.flow.count().then(lambda number: number + 1) == 29


def test_what_chained_functions_read_travels_together(platform):
    platform.gate.set()
    lazy = LazyAPI(platform)
    for number in range(100):
        platform.fill(f"f{number}")
    lazy.flow.count().force()
    platform.requests.clear()
    chains = [lazy.flow.count().then(lambda _, n=n: lazy.flow.read(f"f{n}")["id"]) for n in range(100)]
    assert chains == [f"f{n}" for n in range(100)]
    assert len(platform.requests) - 100 < (20 if GREEN else 60)


def test_each_thunk_of_a_shared_read_has_a_value_of_its_own(platform):
    lazy = LazyAPI(platform)
    thunks = [lazy.flow.read("a") for _ in range(3)]
    chains = [thunk.then(lambda flow: flow["tags"].append("changed") or flow) for thunk in thunks[:2]]
    platform.gate.set()
    assert [chain["tags"] for chain in chains] == [["a", "changed"]] * 2
    assert thunks[2]["tags"] == ["a"]
    assert thunks[0]["tags"] == ["a", "changed"]  # the function gets what `force` returns
    assert platform.kinds() == ["read"]


def test_a_function_of_ones_own(lazy):
    chain = lazy.call(len, "abc").then(lambda number: number + 1)
    assert chain == 4
    assert [thunk.then(str) for thunk in lazy.map(len, ["a", "bb"])] == ["1", "2"]


# Limits


@pytest.mark.parametrize("size", [1, 2])
def test_a_full_pool_does_not_lock(api, size):
    lazy = LazyAPI(api, pool=size)

    def nested(depth):
        below = [lazy.flow.give(depth).then(nested_below) for _ in range(2)] if depth else []
        return 1 + sum(map(force, below))

    def nested_below(depth):
        return nested(depth - 1)

    assert lazy.flow.give(5).then(nested) == 63


def test_ten_thousand_chains(lazy, gate):
    before = threading.active_count()
    chains = [lazy.flow.give(n).then(lambda value: value + 1).then(str) for n in range(10_000)]
    most = threading.active_count()
    assert chains == [str(n + 1) for n in range(10_000)]
    assert max(most, threading.active_count()) < before + 300
    if GREEN:
        assert threading.active_count() <= before + 10


@pytest.mark.usefixtures("often")
@pytest.mark.needs("threads", "green threads are switched at known places")
def test_no_chain_is_lost_however_threads_are_switched(api):
    lazy = LazyAPI(api)
    for _ in range(300):
        thunks = [lazy.flow.give(n) for n in range(5)]
        seen = []
        for thunk in thunks:
            thunk.then(lambda value: value).then(seen.append)
        until(lambda seen=seen: len(seen) == 5)


def test_an_executor_of_the_callers(api):
    if GREEN:
        pytest.skip("its threads would be green ones")
    with ThreadPoolExecutor(1) as executor:
        lazy = LazyAPI(api, pool=executor)
        assert lazy.flow.give(1).then(lambda value: value + 1).then(str).catch(boom) == "2"
        assert lazy.flow.fail(ValueError("boom")).then(len).catch(str) == "boom"


# Interruptions


def test_an_interrupted_wait_leaves_the_chain_as_it_is(lazy, gate):
    chain = lazy.flow.wait(gate, [1]).then(len).then(str)
    for _ in range(3):
        with interrupted():
            force(chain)
            raise AssertionError("was not interrupted")
        assert not is_ready(chain)
    with pytest.raises(DeadlineExceeded, match=r"not done after 0\.01 s"):
        chain._future.wait(0.01)
    gate.set()
    assert chain == "1"


@pytest.mark.needs("green", "an OS thread cannot be killed")
def test_a_killed_function_fails_its_thunk(api, lazy, gate):
    chain = lazy.flow.give(1).then(lambda value: api.flow.wait(gate, value))
    after = chain.then(len).catch(type)
    until(lambda: api.flow.running)
    chain._future.cancel()
    for _ in range(2):
        with pytest.raises(CallCancelled, match="killed"):
            force(chain)
    assert after == CallCancelled


@pytest.mark.needs("green", "an OS thread cannot be killed")
def test_a_killed_call_fails_what_is_chained_to_it(api, lazy, gate):
    call = lazy.flow.wait(gate, 1)
    chain, caught = call.then(len), call.catch(type)
    until(lambda: api.flow.running)
    call._future.cancel()
    with pytest.raises(CallCancelled, match="killed"):
        force(chain)
    assert caught == CallCancelled


@pytest.mark.needs("green", "OS threads may wait for each other")
def test_another_os_thread_is_refused(lazy, gate):
    call = lazy.flow.wait(gate, [1])
    chain = call.then(len)
    for use in (call.then, chain.then):
        with pytest.raises(WrongThread, match="G10"):
            native(use, len)
    with pytest.raises(WrongThread, match="G10"):
        native(force, chain)
    gate.set()
    assert chain == 1
    assert native(force, chain) == 1


@pytest.mark.needs("threads", "green threads are bound to their OS thread")
def test_any_thread_may_chain_and_all_get_the_same(lazy, gate):
    call = lazy.flow.wait(gate, 1)
    chain = call.then(lambda value: [value])
    made = [BACKEND.spawn(chain.then, id) for _ in range(20)]
    gate.set()
    assert {force(BACKEND.get(thread)) for thread in made} == {id(force(chain))}


# The end of a block


def test_a_block_waits_for_what_is_chained_in_it(api, gate):
    ended = []

    def work(value):
        BACKEND.sleep(0.01)
        ended.append(value)
        return value

    with LazyAPI(api) as lazy:
        call = lazy.flow.wait(gate, 1)
        call.then(work).then(lambda value: lazy.flow.give(value + 1).then(work)).then(ended.append)
        BACKEND.spawn(gate.set)
    assert ended == [1, 2, 2]


@pytest.mark.needs("green", "an OS thread cannot be killed")
def test_a_block_that_is_killed_starts_nothing_that_is_chained(platform):
    ran, chains = [], []

    def killed():
        with LazyAPI(platform) as lazy:
            for first in (lazy.flow.read("a"), lazy.flow.count()):
                chains.append(first.then(ran.append))
                chains.append(chains[-1].catch(ran.append))
            until(lambda: platform.held == 2)
            BACKEND.spawn(platform.gate.set)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    for chain in chains:
        with pytest.raises(CallCancelled):
            force(chain)
    BACKEND.sleep(0.001)
    assert ran == []


# Failures that nobody looks at


def settled(thunks):
    until(lambda: all(map(is_ready, thunks)))


def dropped(make, expected):
    """The warnings that come, with no garbage collection, when the thunks that `make` returns are dropped."""
    gc.collect()
    gc.disable()
    try:
        with warnings.catch_warnings(record=True) as recorded:
            warnings.simplefilter("always")
            settled(make())
            until(lambda: len(unseen(recorded)) >= expected, "the warnings")
            BACKEND.sleep(0.005)
    finally:
        gc.enable()
    return unseen(recorded)


def test_a_failure_that_is_handed_on_warns_once_at_the_end_of_the_chain(lazy, platform):
    bulk = LazyAPI(platform)
    platform.gate.set()
    for make in (
        lambda: [lazy.flow.fail(ValueError("boom")).then(len).then(len)],
        lambda: [lazy.flow.fail(ValueError("boom")).then(len).then(len), lazy.flow.give(1)],
        lambda: [bulk.flow.read("missing").then(len)],
    ):
        (warning,) = dropped(make, 1)
        assert warning.startswith("then(len) called at")
        assert "nobody looked" in warning

    def all_kept():
        first = lazy.flow.fail(ValueError("boom"))
        second = first.then(len)
        return [first, second, second.then(len)]

    assert len(dropped(all_kept, 1)) == 1


def test_a_function_that_fails_warns_at_its_own_place(lazy):
    (warning,) = dropped(lambda: [lazy.flow.give(1).then(boom)], 1)
    assert warning.startswith("then(boom) called at")
    (warning,) = dropped(lambda: [lazy.flow.fail(KeyError("x")).catch(boom)], 1)
    assert warning.startswith("catch(boom) called at")


def test_what_nobody_keeps_warns_too(lazy, gate):
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        lazy.flow.wait(gate).then(boom).then(len)
        BACKEND.sleep(0.001)
        assert unseen(recorded) == []
        gate.set()
        until(lambda: unseen(recorded))
    assert len(unseen(recorded)) == 1


def test_a_failure_that_was_caught_or_seen_does_not_warn(lazy):
    def seen():
        chain = lazy.flow.fail(ValueError("boom")).then(len)
        with pytest.raises(ValueError, match="boom"):
            force(chain)
        return [chain]

    assert dropped(seen, 0) == []
    assert dropped(lambda: [lazy.flow.fail(ValueError("boom")).then(len).catch(str)], 0) == []
    assert dropped(lambda: [lazy.flow.give(1).then(boom).catch(str).then(len)], 0) == []


def test_a_returned_thunk_that_fails_warns_once(lazy):
    def inner(_):
        return lazy.flow.run(later)

    def later():
        BACKEND.sleep(0.003)
        raise ValueError("later")

    (warning,) = dropped(lambda: [lazy.flow.give(1).then(inner).then(len)], 1)
    assert warning.startswith("then(len) called at")
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        lazy.flow.give(1).then(inner)
        until(lambda: unseen(recorded))
    assert len(unseen(recorded)) == 1


def test_what_a_chain_held_goes_when_it_is_done(lazy):
    class Held:
        pass

    from weakref import ref

    held = Held()
    gone = ref(held)
    chain = lazy.flow.give(held).then(lambda found, more: 1, held)
    del held
    gc.collect()
    gc.disable()
    try:
        assert chain == 1
        until(lambda: gone() is None, "the end of what it held")
    finally:
        gc.enable()


def test_equal_errors_of_one_batch(platform):
    lazy = LazyAPI(platform)
    platform.gate.set()
    found = [lazy.flow.read(f"missing{n}").catch(lambda error: type(error)) for n in range(5)]
    assert found == [FlowThingsNotFound] * 5

"""GreenThunk: when it waits, when it does not, and that it passes for its value."""

import copy
import json
import operator
import pickle
import sqlite3
import traceback
import warnings
from collections.abc import Mapping, MutableMapping, Sequence

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.errors import CallCancelled, WrongThread
from flowthings_like.green import (
    GreenThunk,
    LazyAPI,
    UnretrievedFailure,
    detect,
    force,
    is_none,
    is_ready,
    json_default,
    native,
    unwrap,
)

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


def thunk_of(value):
    return LazyAPI(Api()).flow.give(value)


def settled(thunk):
    until(lambda: is_ready(thunk), "the call's end")
    return thunk


# Starting, and waiting


def test_calls_start_at_once_and_all_together(api, lazy, gate):
    thunks = [lazy.flow.wait(gate, i) for i in range(30)]
    until(lambda: api.flow.running == 30, "all thirty under way")
    assert not any(map(is_ready, thunks))
    gate.set()
    assert thunks == list(range(30))
    assert all(map(is_ready, thunks))


def test_the_call_is_made_once_whatever_it_returns(api, lazy):
    thunk = lazy.flow.give(None)
    for _ in range(3):
        assert is_none(thunk)
        assert thunk == None  # noqa: E711 (that is what is tested)
    assert api.flow.count == 1


def test_services_plain_attributes_and_factories(api, lazy):
    assert lazy.websocket is api.websocket
    assert lazy.flow.path == "/flow"
    assert list(lazy.flow.iterate()) == ["a", "b", "c"]
    flows = lazy.flow.give([{"id": "f1"}])
    assert lazy.drop(flows[0]["id"]).newest()["flow"] == "f1"
    assert lazy.drop(lazy.flow.give("f2")).newest() == {"flow": "f2"}
    assert lazy.request("GET", "/flow") == "GET /flow"


def test_a_dependent_call_waits_for_its_arguments_in_its_own_thread(api, lazy, gate):
    first = lazy.flow.wait(gate, 20)
    second = lazy.flow.give(first, half=first)
    until(lambda: api.flow.running)
    assert not is_ready(second)
    gate.set()
    assert second == (20, {"half": 20})


def test_a_dependent_call_fails_with_what_its_argument_failed_with(lazy):
    with pytest.raises(ValueError, match="boom"):
        lazy.flow.give(lazy.flow.fail(ValueError("boom"))).force()


def test_lazy_calls_within_lazy_calls_do_not_lock_a_pool_of_one(api):
    pool = BACKEND.pool(1)

    def nested(depth):
        lazy = LazyAPI(api, pool=pool)
        below = [lazy.flow.run(nested, depth - 1) for _ in range(2)] if depth else []
        return 1 + sum(map(force, below))

    assert LazyAPI(api, pool=pool).flow.run(nested, 5) == 63


def test_context_is_the_callers(lazy):
    token = tenant.set("acme")
    thunk = lazy.flow.run(tenant.get)
    tenant.reset(token)
    assert thunk == "acme"


def test_repr_never_waits(lazy, gate):
    thunk = lazy.flow.wait(gate, {"id": "f1"})
    assert repr(thunk).startswith("<GreenThunk pending: flow.wait called at ")
    assert "test_thunk.py" in repr(thunk)
    gate.set()
    assert repr(settled(thunk)) == "<GreenThunk ready: {'id': 'f1'}>"
    failed = settled(lazy.flow.fail(ValueError("boom")))
    assert repr(failed).startswith("<GreenThunk failed: ValueError('boom')")
    with pytest.raises(ValueError, match="boom"):
        failed.force()


@pytest.mark.parametrize("probe", ["__array__", "__html__", "__len_hint__", "__json__"])
def test_being_asked_for_a_protocol_does_not_wait(lazy, gate, probe):
    thunk = lazy.flow.wait(gate, {})
    assert not hasattr(thunk, probe)
    assert not is_ready(thunk)


WAITING = {
    "index": lambda t: t["id"],
    "iterate": list,
    "compare": lambda t: t == {"id": 1},
    "differ": lambda t: t != {},
    "len": len,
    "bool": bool,
    "contains": lambda t: "id" in t,
    "str": str,
    "format": lambda t: f"{t}",
    "items": lambda t: t.items(),
    "set": lambda t: t.__setitem__("x", 1),
    "or": lambda t: t | {"x": 2},
    "isinstance": lambda t: isinstance(t, Mapping),
    "unwrap": lambda t: t.unwrap(),
    "star": lambda t: dict(**t),
    "pickle": pickle.dumps,
    "copy": copy.copy,
}


@pytest.mark.parametrize("use", WAITING.values(), ids=WAITING)
def test_using_the_data_waits(api, lazy, gate, use):
    thunk = lazy.flow.wait(gate, {"id": 1})
    until(lambda: api.flow.running)
    BACKEND.spawn(gate.set)
    use(thunk)
    assert is_ready(thunk)
    assert thunk["id"] == 1


# Failures


def test_a_failure_is_remembered_and_raised_each_time(api, lazy):
    error = ValueError("boom")
    thunk = lazy.flow.fail(error)
    depths = []
    for use in (len, list, force, unwrap, GreenThunk.unwrap, str, len, len):
        with pytest.raises(ValueError, match="boom") as caught:
            use(thunk)
        assert caught.value is error
        depths.append((use, len(traceback.extract_tb(caught.value.__traceback__))))
    same = {depth for use, depth in depths if use is len}
    assert len(same) == 1  # the traceback does not grow


def test_the_traceback_shows_both_ends(lazy):
    def inner():
        raise ValueError("boom")

    def need(thunk):
        return thunk["id"]

    thunk = lazy.flow.run(inner)
    with pytest.raises(ValueError, match="boom") as caught:
        need(thunk)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names.index("need") < names.index("inner")
    (note,) = caught.value.__notes__
    assert "flow.run called at" in note
    assert "test_the_traceback_shows_both_ends" in note


def test_isinstance_of_a_failed_thunk_raises_nothing(lazy):
    thunk = lazy.flow.fail(ValueError("boom"))
    assert not isinstance(thunk, Mapping)
    assert isinstance(thunk, GreenThunk)
    with pytest.raises(ValueError, match="boom"):
        thunk.force()


def unseen(recorded):
    return [w for w in recorded if w.category is UnretrievedFailure]


def dropped(make, expected):
    """The warnings that arise, with no garbage collection, when the thunk that `make` returns is dropped."""
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        thunk = settled(make())
        del thunk
        until(lambda: unseen(recorded), "a warning") if expected else BACKEND.sleep(0.01)
    return unseen(recorded)


def test_a_failure_nobody_looked_at_warns_once(lazy):
    (warning,) = dropped(lambda: lazy.flow.fail(ValueError("boom")), expected=True)
    assert "flow.fail" in str(warning.message)
    assert "ValueError('boom')" in str(warning.message)
    assert warning.filename == __file__
    assert issubclass(UnretrievedFailure, RuntimeWarning)


def test_looking_at_a_repr_is_not_looking_at_the_failure(lazy):
    def make():
        thunk = settled(lazy.flow.fail(ValueError("boom")))
        repr(thunk)
        return thunk

    assert len(dropped(make, expected=True)) == 1


def test_a_failure_that_was_seen_and_a_success_that_was_not_do_not_warn(lazy):
    def seen():
        thunk = lazy.flow.fail(ValueError("boom"))
        with pytest.raises(ValueError, match="boom"):
            thunk.force()
        return thunk

    assert dropped(seen, expected=False) == []
    assert dropped(lambda: lazy.flow.give(1), expected=False) == []


def test_a_thunk_dropped_while_pending_warns_when_its_call_fails(api, lazy, gate):
    def late():
        gate.wait(20)
        raise ValueError("late")

    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        lazy.flow.run(late)
        BACKEND.sleep(0.001)
        assert unseen(recorded) == []
        gate.set()
        until(lambda: unseen(recorded), "the warning")
    assert len(unseen(recorded)) == 1


def test_no_failure_is_printed_by_the_library(lazy, capfd):
    with pytest.raises(ValueError, match="boom"):
        lazy.flow.fail(ValueError("boom")).force()
    BACKEND.sleep(0.001)
    assert capfd.readouterr().err == ""


# Interruptions


def test_an_interrupted_force_leaves_the_thunk_usable(lazy, gate):
    thunk = lazy.flow.wait(gate, [1])
    for use in (force, len, bool, list):
        with interrupted():
            use(thunk)
            raise AssertionError("was not interrupted")
        assert not is_ready(thunk)
    gate.set()
    assert thunk == [1]


@pytest.mark.needs("green", "an OS thread cannot be killed")
def test_a_killed_child_fails_its_thunk(api, lazy, gate):
    thunk = lazy.flow.wait(gate, 1)
    until(lambda: api.flow.running)
    thunk._future.cancel()
    for _ in range(2):
        with pytest.raises(CallCancelled, match="killed") as caught:
            thunk.force()
    assert "flow.wait called at" in caught.value.__notes__[0]


@pytest.mark.needs("green", "OS threads may wait for each other")
def test_forcing_in_another_os_thread_is_refused_until_the_value_is_there(lazy, gate):
    thunk = lazy.flow.wait(gate, 1)
    with pytest.raises(WrongThread, match="G10"):
        native(force, thunk)
    gate.set()
    assert thunk == 1
    assert native(force, thunk) == 1


@pytest.mark.needs("threads", "green threads are bound to their OS thread")
def test_any_thread_may_force_and_all_get_the_same(lazy, gate):
    thunk = lazy.flow.wait(gate, [1])
    forcing = [BACKEND.spawn(force, thunk) for _ in range(20)]
    gate.set()
    assert {id(thread.get()) for thread in forcing} == {id(thunk.force())}


# Blocks


def test_a_block_waits_for_calls_that_begin_while_it_waits(lazy):
    ended = []

    def inner():
        BACKEND.sleep(0.02)
        ended.append("inner")

    def outer():
        lazy.flow.run(inner)

    with lazy:
        lazy.flow.run(outer)
    assert ended == ["inner"]


# Passing for the value

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)
@given(plain, plain)
def test_a_thunk_passes_for_its_value(value, other):
    thunk, also = thunk_of(value), thunk_of(other)
    assert (thunk == other) is (value == other)
    assert (thunk == also) is (value == other)
    assert (thunk != other) is (value != other)
    assert bool(thunk) is bool(value)
    assert str(thunk) == str(value)
    assert f"{thunk}" == f"{value}"
    assert repr(thunk) == f"<GreenThunk ready: {value!r}>"
    assert is_none(thunk) is (value is None)
    for kind in (dict, list, str, int, float, bool, Mapping, MutableMapping, Sequence):
        assert isinstance(thunk, kind) is isinstance(value, kind)
    for copied in (
        copy.copy(thunk),
        copy.deepcopy(thunk),
        pickle.loads(pickle.dumps(thunk)),
        unwrap([thunk])[0],
    ):
        assert type(copied) is type(value)
        assert copied == value
    assert json.loads(json.dumps({"x": thunk}, default=json_default)) == {"x": value}
    assert orjson.loads(orjson.dumps([thunk], default=json_default)) == [value]


numbers = st.integers(1, 50) | st.floats(0.5, 50)
BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod]
BINARY += [operator.lt, operator.le, operator.gt, operator.ge, divmod]


@settings(deadline=None, max_examples=40)
@given(numbers, numbers)
def test_arithmetic_on_either_side_and_both(a, b):
    for operation in BINARY:
        expected = operation(a, b)
        assert operation(thunk_of(a), b) == expected
        assert operation(a, thunk_of(b)) == expected
        assert operation(thunk_of(a), thunk_of(b)) == expected
    assert (-thunk_of(a), +thunk_of(a), abs(thunk_of(-a))) == (-a, a, a)
    assert (int(thunk_of(a)), float(thunk_of(a)), round(thunk_of(a), 1)) == (int(a), float(a), round(a, 1))
    assert hash(thunk_of(a)) == hash(a)
    assert {thunk_of(a): 1}[a] == 1


@pytest.mark.parametrize(
    "operation", [operator.and_, operator.or_, operator.xor, operator.lshift, operator.pow]
)
def test_integer_operations(operation):
    assert operation(thunk_of(6), 3) == operation(6, thunk_of(3)) == operation(6, 3)


def test_a_list_is_a_list():
    thunk = thunk_of([3, 1, 2])
    thunk.append(5)
    thunk += [4]
    assert type(thunk) is GreenThunk
    thunk.sort()
    del thunk[0]
    thunk[0] = 9
    assert thunk == [9, 3, 4, 5]
    assert [0] + thunk == [0, 9, 3, 4, 5]  # noqa: RUF005 (that is what is tested)
    assert thunk + [0] == [9, 3, 4, 5, 0]  # noqa: RUF005
    assert thunk * 2 == thunk + thunk
    assert thunk[1:3] == [3, 4]
    assert thunk[thunk_of(0)] == 9
    assert list(reversed(thunk)) == [5, 4, 3, 9]
    assert 3 in thunk
    assert thunk_of(3) in thunk
    assert sorted(thunk) == [3, 4, 5, 9]
    assert [10, 20, 30][thunk_of(1)] == 20
    with pytest.raises(IndexError):
        thunk[9]
    with pytest.raises(AttributeError):
        thunk.items()


def test_a_dict_is_a_dict():
    thunk = thunk_of({"a": 1})
    thunk["b"] = 2
    thunk.update(c=3)
    del thunk["a"]
    assert thunk == {"b": 2, "c": 3}
    assert thunk.get("z", 0) == 0
    assert (list(thunk), list(thunk.values()), dict(**thunk), dict(thunk)) == (
        ["b", "c"],
        [2, 3],
        thunk,
        thunk,
    )
    assert {**thunk} == thunk
    assert thunk | {"d": 4} == {"b": 2, "c": 3, "d": 4}
    with pytest.raises(KeyError):
        thunk["a"]
    with pytest.raises(TypeError):
        hash(thunk)


def test_numbers_in_place_give_plain_numbers_and_leave_the_thunk():
    thunk = also = thunk_of(1)
    thunk += 1
    assert type(thunk) is int
    assert also == 1


def test_a_pair_with_references_unpacks():
    flows, refs = thunk_of(([{"id": 1}], {"x": 2}))
    assert (flows, refs) == ([{"id": 1}], {"x": 2})


def test_sql_parameters():
    with sqlite3.connect(":memory:") as database:
        row = database.execute("select ?, ?", (thunk_of("x"), thunk_of(2))).fetchone()
    database.close()
    assert row == ("x", 2)


def test_unwrap_looks_inside_and_copies_only_what_it_must():
    whole = {
        "plain": [1, (2,)],
        "thunk": [thunk_of(1), (thunk_of(2),)],
        thunk_of("key"): thunk_of({"x": thunk_of(3)}),
    }
    assert unwrap(whole) == {"plain": [1, (2,)], "thunk": [1, (2,)], "key": {"x": 3}}
    assert unwrap(whole)["plain"] is whole["plain"]
    untouched = [{"a": (1, 2)}]
    assert unwrap(untouched) is untouched
    assert type(unwrap(whole)["thunk"][0]) is int


def test_the_functions_take_anything():
    assert (force(1), unwrap("x"), is_ready([]), is_none(None), is_none(0)) == (1, "x", True, True, False)


def test_encoders_still_refuse_what_they_do_not_know():
    with pytest.raises(TypeError, match="object is not JSON serializable"):
        json.dumps(object(), default=json_default)


def test_a_value_that_is_a_thunk_is_looked_through(lazy):
    assert type(lazy.flow.run(thunk_of, 5).force()) is int


def test_a_stand_in_library_that_runs_when_waited_for(api):
    from types import SimpleNamespace

    from .test_async import FakePool

    lazy = LazyAPI(api, async_lib=SimpleNamespace(__name__="eventlet", GreenPool=FakePool))
    thunk = lazy.flow.give([1])
    assert "pending" in repr(thunk)
    assert (thunk[0], len(thunk), api.flow.count) == (1, 1, 1)
    with pytest.raises(ValueError, match="boom"):
        lazy.flow.fail(ValueError("boom")).force()

"""Calls that travel together: what leaves when, who gets what, and what a refusal does to the others."""

import copy
import gc
import warnings

import pytest

from flowthings_like.errors import (
    CallCancelled,
    ConnectionFailed,
    FlowThingsBadRequest,
    FlowThingsException,
    FlowThingsForbidden,
    FlowThingsNotFound,
    FlowThingsServerError,
    FlowThingsTooLarge,
    InvalidInput,
    InvalidResponse,
    WrongThread,
)
from flowthings_like.green import GreenThunk, LazyAPI, UnretrievedFailure, detect, force, is_ready, native
from flowthings_like.green.batching.batcher import DISPATCHERS

from ..bulky import Platform, refuse, refuse_bad, tenant
from ..fakes import interrupted, python, until

BACKEND = detect()
GREEN = BACKEND.name != "threads"


@pytest.fixture
def api():
    return Platform()


@pytest.fixture
def lazy(api):
    return LazyAPI(api)


@pytest.fixture
def gate(api):
    """Holds every request up until it is set."""
    api.gate = BACKEND.event()
    yield api.gate
    api.gate.set()


def hold_first(api, lazy):
    """A first read that is on its way and held up: what is called after it gathers."""
    api.fill("first")
    first = lazy.flow.read("first")
    until(lambda: api.held == 1, "the first request")
    return first


def errors_of(thunks):
    found = []
    for thunk in thunks:
        try:
            force(thunk)
            found.append(None)
        except Exception as error:
            found.append(error)
    return found


def kinds_of(thunks):
    return [type(error) for error in errors_of(thunks)]


# What leaves when


def test_calls_issued_together_are_one_request(api, lazy, gate):
    api.fill("a", "b", "c")
    first = hold_first(api, lazy)
    thunks = [lazy.flow.read(id) for id in "abc"]
    gate.set()
    assert [thunk["value"] for thunk in thunks] == [0, 1, 2]
    assert first["id"] == "first"
    assert api.requests[1:] == [("read_many", "/flow", "a", "b", "c")]


@pytest.mark.needs("green", "on threads the first call leaves at once")
def test_on_green_threads_the_first_call_waits_for_its_turn_of_the_hub(api, lazy):
    api.fill("a", "b")
    one, two = lazy.flow.read("a"), lazy.flow.read("b")
    assert api.requests == []
    assert (one["id"], two["id"]) == ("a", "b")
    assert api.kinds() == ["read_many"]


@pytest.mark.needs("green", "on threads one batch of a kind is on its way, unless another is full")
def test_a_batch_does_not_wait_for_one_that_is_on_its_way(api, lazy, gate):
    api.fill("b")
    hold_first(api, lazy)
    lazy.flow.read("b")
    until(lambda: api.held == 2, "the second request")


@pytest.mark.needs("threads", "green threads have turns")
def test_on_threads_the_first_call_leaves_at_once_and_a_full_batch_does_not_wait(api, lazy, gate):
    hold_first(api, lazy)
    thunks = [lazy.flow.read(f"r{i}") for i in range(10)]
    until(lambda: api.held == 2, "the full batch")
    late = lazy.flow.read("late")
    BACKEND.sleep(0.02)
    assert api.held == 2
    gate.set()
    assert kinds_of([*thunks, late]) == [FlowThingsNotFound] * 11


def test_a_call_on_its_own_is_sent_as_itself(api, lazy):
    api.fill("a")
    assert lazy.flow.read("a")["id"] == "a"
    assert lazy.flow.update({"id": "a", "value": 7})["value"] == 7
    assert lazy.flow.create({"value": 1})["value"] == 1
    assert api.kinds() == ["read", "update", "create"]


def test_a_submitted_call_needs_no_thread_of_its_own(api, lazy, gate, monkeypatch):
    hold_first(api, lazy)
    monkeypatch.setattr(lazy._pool, "start", None)
    monkeypatch.setattr(lazy._pool, "spawn", None)
    thunks = [lazy.flow.read("first") for _ in range(5)]
    assert not any(map(is_ready, thunks))


def test_a_batch_is_never_larger_than_the_form_allows(api, lazy, gate):
    ids = [f"f{i}" for i in range(35)]
    api.fill(*ids)
    hold_first(api, lazy)
    thunks = [lazy.flow.read(id) for id in ids]
    gate.set()
    assert [thunk["id"] for thunk in thunks] == ids
    assert [len(asked) - 2 for asked in api.requests[1:]] == [10, 10, 10, 5]


def test_so_many_batches_are_on_their_way_at_once(api, lazy, gate):
    thunks = [lazy.flow.read(f"f{i}") for i in range(10 * (DISPATCHERS + 5))]
    until(lambda: api.held == DISPATCHERS, "as many as there may be")
    BACKEND.sleep(0.005)
    assert api.held == DISPATCHERS
    gate.set()
    assert kinds_of(thunks) == [FlowThingsNotFound] * len(thunks)
    assert len(api.requests) in (DISPATCHERS + 5, DISPATCHERS + 6)  # on threads the first may leave alone


def test_a_pool_of_so_many_bounds_the_batches_too(api, gate):
    lazy = LazyAPI(api, pool=2)
    thunks = [lazy.flow.read(f"f{i}") for i in range(50)]
    until(lambda: api.held == 2, "two")
    BACKEND.sleep(0.005)
    assert api.held == 2
    gate.set()
    assert kinds_of(thunks) == [FlowThingsNotFound] * 50


def test_large_models_make_small_batches(api, lazy, gate):
    blocker = lazy.flow.create({"value": "blocker"})
    until(lambda: api.held == 1)
    thunks = [lazy.flow.create({"value": i, "text": "x" * 400_000}) for i in range(6)]
    gate.set()
    assert [thunk["value"] for thunk in [blocker, *thunks]] == ["blocker", 0, 1, 2, 3, 4, 5]
    assert api.requests[1:] == [("create_many", "/flow", *pair) for pair in [(0, 1), (2, 3), (4, 5)]]


def test_services_and_verbs_do_not_mix_but_services_of_one_path_do(api, lazy, gate):
    blockers = [lazy.drop(flow).create({"value": 0}) for flow in ("a", "b")]
    until(lambda: api.held == 2)
    thunks = [lazy.drop(flow).create({"value": i}) for i in (1, 2) for flow in ("a", "b")]
    other = LazyAPI(api)
    gate.set()
    assert [thunk["value"] for thunk in thunks] == [1, 1, 2, 2]
    assert sorted(api.requests[2:]) == [("create_many", "/drop/a", 1, 2), ("create_many", "/drop/b", 1, 2)]
    assert other.drop("a") is other.drop("a")
    assert blockers[0]["value"] == 0


def test_the_finds_of_several_services_are_one_request(api, lazy, gate):
    for flow in "abc":
        api.service(f"/drop/{flow}").store({"value": 5})
    blocker = lazy.drop("z").find(1)
    until(lambda: api.held == 1)
    thunks = [lazy.drop(flow).find(1) for flow in "abc"]
    twice = [lazy.drop("a").find(least) for least in (2, 9)]  # the answer is by flow: a batch each
    gate.set()
    assert [len(thunk) for thunk in [blocker, *thunks, *twice]] == [0, 1, 1, 1, 1, 0]
    asked = [request[2:] for request in api.requests if request[0] == "multi_find"]
    assert asked[0] == (("/drop/a", 1), ("/drop/b", 1), ("/drop/c", 1))
    assert api.kinds().count("find_many") == 3


def test_calls_with_keywords_of_their_own_go_alone(api, lazy, gate):
    api.fill("a", "b")
    hold_first(api, lazy)
    thunks = [lazy.flow.read("a", only="value"), lazy.flow.read("b", only="value")]
    gate.set()
    assert [params for _, params in thunks] == [{"only": "value"}] * 2
    assert api.kinds() == ["read", "read", "read"]


def test_calls_with_the_same_timeout_go_together(api, lazy, gate):
    api.fill(*"abcd")
    held = [lazy.flow.read("a", timeout=5), lazy.flow.read("a")]
    until(lambda: api.held == 2)
    thunks = [lazy.flow.read("b", timeout=5), lazy.flow.read("c", timeout=5), lazy.flow.read("d")]
    gate.set()
    assert [thunk["id"] for thunk in [*held, *thunks]] == ["a", "a", "b", "c", "d"]
    assert ("read_many", "/flow", "b", "c") in api.requests


def test_find_with_an_id_is_a_read_and_keeps_its_name(api, lazy, gate):
    api.fill("a", "b")
    hold_first(api, lazy)
    thunks = [lazy.flow.find("a"), lazy.flow.find("b"), lazy.flow.read(id="b")]
    assert "flow.find called at" in repr(thunks[0])
    assert __file__ in repr(thunks[0])
    gate.set()
    assert [thunk["id"] for thunk in thunks] == ["a", "b", "b"]
    assert api.requests[1:] == [("read_many", "/flow", "a", "b")]


def test_a_pool_of_ones_own_spawns_each_call(api, gate):
    lazy = LazyAPI(api, pool=BACKEND.pool(9))
    api.fill(*"abc")
    thunks = [lazy.flow.read(id) for id in "abc"]
    until(lambda: api.held == 3, "three requests")
    gate.set()
    assert [thunk["id"] for thunk in thunks] == ["a", "b", "c"]
    assert api.kinds() == ["read"] * 3


def test_the_context_is_that_of_the_call_that_opened_the_batch(api, lazy, gate):
    hold_first(api, lazy)
    thunks = []
    for name in ("opener", "follower"):
        token = tenant.set(name)
        thunks.append(lazy.flow.read(name))
        tenant.reset(token)
    gate.set()
    assert kinds_of(thunks) == [FlowThingsNotFound] * 2
    assert api.tenants == ["nobody", "opener"]


# Arguments that are on their way


def test_a_thunk_as_an_argument_is_waited_for_elsewhere_and_still_travels_together(api, lazy, gate):
    api.fill(*"abcdef")
    ids = [lazy.flow.read(id) for id in "abc"]
    until(lambda: api.held == 1)
    updated = [lazy.flow.update(flow) for flow in ids]
    created = lazy.flow.create({"value": 1, "of": {"flows": [ids[0], ids[1]]}})
    assert not any(map(is_ready, [*updated, created]))
    gate.set()
    assert [flow["id"] for flow in updated] == ["a", "b", "c"]
    assert [flow["id"] for flow in created["of"]["flows"]] == ["a", "b"]
    assert type(created["of"]["flows"][0]) is dict or GREEN
    assert api.kinds().count("update_many") >= (1 if GREEN else 0)


def test_a_model_that_holds_the_thunk_of_an_earlier_create_does_not_wait_for_itself(api, lazy):
    first = lazy.flow.create({"value": 1})
    second = lazy.flow.create({"value": 2, "before": first})
    assert second["before"]["value"] == 1


def test_a_failed_argument_fails_its_call_and_no_other(api, lazy):
    api.fill("a")
    missing = lazy.flow.read("missing")
    thunks = [lazy.flow.update({"id": "a", "value": missing}), lazy.flow.update({"id": "a", "value": 3})]
    assert kinds_of(thunks) == [FlowThingsNotFound, type(None)]


def test_a_model_that_holds_itself_fails_alone(api, lazy):
    odd = {"value": 1}
    odd["self"] = odd
    thunks = [lazy.flow.create(odd), lazy.flow.create({"value": 2})]
    assert thunks[1]["value"] == 2
    assert errors_of(thunks)[0] is not None or force(thunks[0])["value"] == 1


# Sharing


def test_equal_reads_share_a_request_and_no_result(api, lazy, gate):
    api.fill("a")
    hold_first(api, lazy)
    thunks = [lazy.flow.read("a") for _ in range(3)]
    thunks[0]  # not looked at yet
    gate.set()
    thunks[1]["tags"].append("mine")
    thunks[1]["value"] = "mine"
    assert [thunk["tags"] for thunk in thunks] == [["a"], ["a", "mine"], ["a"]]
    thunks[0]["tags"].append("also mine")
    assert thunks[2] == {"id": "a", "value": 0, "tags": ["a"]}
    assert api.requests[1:] == [("read", "/flow", "a")]
    assert force(thunks[0]) is force(thunks[0])


def test_an_equal_read_shares_one_that_is_on_its_way(api, lazy, gate):
    first = hold_first(api, lazy)
    again = lazy.flow.read("first")
    BACKEND.sleep(0.005)
    gate.set()
    assert first == again
    assert force(first) is not force(again)
    assert len(api.requests) == 1


def test_nothing_is_remembered_once_it_has_come(api, lazy):
    api.fill("a")
    assert lazy.flow.read("a")["value"] == 0
    api.flow.stored["a"]["value"] = 1
    assert lazy.flow.read("a")["value"] == 1


def test_finds_share_if_all_they_ask_for_is_equal(api, lazy, gate):
    api.service("/drop/a").store({"value": 5})
    lazy.drop("z").find()
    until(lambda: api.held == 1)
    thunks = [lazy.drop("a").find(least) for least in (1, 1, 9)]
    gate.set()
    assert [len(thunk) for thunk in thunks] == [1, 1, 0]
    assert api.kinds().count("find_many") == 3


WRITES = {
    "update": lambda lazy: lazy.flow.update({"id": "a", "value": "new"}),
    "create": lambda lazy: lazy.flow.create({"id": "a", "value": "new"}),
    "delete": lambda lazy: lazy.flow.delete("other"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_read_after_a_write_does_not_share_one_from_before_it(api, lazy, gate, write):
    api.fill("a", "other")
    lazy.flow.read("a")
    until(lambda: api.held == 1)
    written = write(lazy)
    lazy.flow.read("a")
    gate.set()
    force(written)
    with lazy:
        pass
    asked = [request for request in api.requests if request[0].startswith("read")]
    assert asked == [("read", "/flow", "a")] * 2


def test_a_read_after_a_write_has_ended_does_not_share_one_made_while_it_was_on_its_way(api, lazy):
    """The read between could be answered before the write was, and is still on its way afterwards."""
    api.fill("a")
    slow = BACKEND.event()

    def failure(kind, asked):
        if kind == "read" and len(api.requests) == 2:
            assert slow.wait(20)

    api.failure = failure
    written = lazy.flow.update({"id": "a", "value": "new"})
    between = lazy.flow.read("a")
    until(lambda: len(api.requests) == 2)
    force(written)
    after = lazy.flow.read("a")
    if not GREEN:
        slow.set()
    assert after["value"] == "new"
    slow.set()
    assert between["id"] == "a"
    assert api.kinds().count("read") == 2


def test_a_write_elsewhere_does_not_end_sharing(api, lazy, gate):
    api.fill("a", "b")
    hold_first(api, lazy)
    lazy.flow.read("a")
    lazy.flow.update({"id": "b", "value": 1})
    lazy.drop("x").create({"value": 1})
    lazy.flow.count()
    shared = lazy.flow.read("a")
    gate.set()
    assert shared["value"] == 0
    with lazy:
        pass
    assert [asked for asked in api.requests if asked[0].startswith("read")] == [
        ("read", "/flow", "first"),
        ("read", "/flow", "a"),
    ]


# Failures


def test_a_missing_id_fails_its_own_thunk(api, lazy, gate):
    api.fill("a", "b")
    hold_first(api, lazy)
    thunks = [lazy.flow.read(id) for id in ("a", "nope", "b", "nope")]
    gate.set()
    assert kinds_of(thunks) == [type(None), FlowThingsNotFound, type(None), FlowThingsNotFound]
    errors = errors_of(thunks)
    assert errors[1] is not errors[3]
    assert "nope" in str(errors[1])
    assert "flow.read called at" in errors[1].__notes__[0]
    assert len(api.requests) == 2


def test_a_batch_that_fails_fails_each_of_its_calls_and_is_not_remembered(api, lazy, gate):
    api.fill(*"abc")
    hold_first(api, lazy)
    api.failure = refuse(ConnectionFailed("it broke"), "read_many")
    thunks = [lazy.flow.read(key) for key in "abc"]
    gate.set()
    errors = errors_of(thunks)
    assert [str(error) for error in errors] == ["it broke"] * 3
    assert len({id(error) for error in errors}) == 3
    assert all(len(error.__notes__) == 1 for error in errors)
    api.failure = lambda kind, asked: None
    assert lazy.flow.read("a")["id"] == "a"
    assert api.kinds() == ["read", "read_many", "read"]


@pytest.mark.parametrize(
    "error", [ConnectionFailed("x"), FlowThingsServerError("x", status=500), OSError("x")]
)
def test_writes_are_never_made_again_after_anything_but_a_refusal(api, lazy, gate, error):
    lazy.flow.create({"value": "first"})
    until(lambda: api.held == 1)
    api.failure = refuse(error, "create_many")
    thunks = [lazy.flow.create({"value": i}) for i in range(4)]
    gate.set()
    assert kinds_of(thunks) == [type(error)] * 4
    assert api.kinds() == ["create", "create_many"]


def prove_bulk(lazy):
    """Let the platform show that it has the bulk forms."""
    with lazy:
        for i in range(20):
            lazy.flow.create({"value": i, "id": f"proof{i}"})
    with lazy:
        for i in range(20):
            lazy.flow.read(f"proof{i}")
    with lazy:
        for i in range(20):
            lazy.flow.update({"value": i, "id": f"proof{i}"})


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize("bad", [["bad"], [None], ["bad", None], ["bad"] * 9])
def test_one_bad_create_fails_alone_and_the_others_keep_their_order(api, lazy, bad, proven):
    if proven:
        prove_bulk(lazy)
        api.requests.clear()
    api.gate = BACKEND.event()
    lazy.flow.create({"value": "first"})
    until(lambda: api.held == 1)
    api.failure = refuse_bad
    values = [0, 1, 2, 3, 4, *bad, 5, 6, 7]
    thunks = [lazy.flow.create({"value": value}) for value in values]
    api.gate.set()
    wanted = {"bad": FlowThingsBadRequest, None: InvalidInput}
    assert kinds_of(thunks) == [wanted.get(value, type(None)) for value in values]
    made = [one["value"] for one in api.flow.stored.values() if "proof" not in one["id"]]
    assert made == ["first", *range(8)]


def test_one_bad_update_fails_alone(api, lazy, gate):
    api.fill(*"abcd")
    lazy.flow.update({"id": "a", "value": "first"})
    until(lambda: api.held == 1)
    thunks = [lazy.flow.update({"id": id, "value": 9}) for id in ("a", "b", "nope", "c", "d")]
    gate.set()
    assert kinds_of(thunks)[2] is FlowThingsNotFound
    assert [thunk["value"] for thunk in [*thunks[:2], *thunks[3:]]] == [9] * 4


def test_a_refusal_that_is_about_all_is_not_asked_again_singly(api, lazy, gate):
    prove_bulk_of(api, lazy, gate)
    api.failure = refuse(FlowThingsForbidden("not yours", status=403), "create_many")
    lazy.flow.create({"value": "first"})
    until(lambda: api.held == 1)
    api.requests.clear()
    thunks = [lazy.flow.create({"value": i}) for i in range(5)]
    api.gate.set()
    assert kinds_of(thunks) == [FlowThingsForbidden] * 5
    assert api.kinds() == ["create_many"]


def prove_bulk_of(api, lazy, gate):
    gate.set()
    prove_bulk(lazy)
    api.requests.clear()
    api.gate = BACKEND.event()


def test_what_is_too_large_is_sent_in_halves(api, lazy, gate):
    def failure(kind, asked):
        if kind == "create_many" and len(asked) > 3:
            raise FlowThingsTooLarge("too large", status=413)

    api.failure = failure
    lazy.flow.create({"value": "first"})
    until(lambda: api.held == 1)
    thunks = [lazy.flow.create({"value": i}) for i in range(8)]
    gate.set()
    assert [thunk["value"] for thunk in thunks] == list(range(8))
    assert [len(asked) - 2 for asked in api.requests[1:]] == [8, 4, 2, 2, 4, 2, 2]


@pytest.mark.parametrize("answer", [None, [], {"a": 1}, "text"])
def test_an_answer_of_the_wrong_shape_fails_the_batch(api, lazy, gate, answer, monkeypatch):
    api.fill(*"ab")
    monkeypatch.setattr(type(api.flow), "create_many", lambda self, models: answer)
    monkeypatch.setattr(type(api.flow), "read_many", lambda self, ids: answer)
    held = [hold_first(api, lazy), lazy.flow.create({"value": 0})]
    until(lambda: api.held == 2)
    creates = [lazy.flow.create({"value": i}) for i in range(2)]
    found = [lazy.flow.read(id) for id in "ab"]
    gate.set()
    assert kinds_of(creates) == [InvalidResponse] * 2
    expected = [type(None), FlowThingsNotFound] if answer == {"a": 1} else [InvalidResponse] * 2
    assert kinds_of(found) == expected
    assert kinds_of(held) == [type(None)] * 2


# A platform without the bulk form


@pytest.mark.parametrize("status", [400, 404, 405, 501])
@pytest.mark.parametrize("verb", ["read", "create"])
def test_a_platform_without_the_bulk_form_is_asked_once(api, lazy, gate, status, verb):
    api.fill(*(f"f{i}" for i in range(8)))
    error = FlowThingsException("no such thing", status=status)
    api.failure = refuse(error, "read_many", "create_many")

    def some(lazy, first, last):
        if verb == "read":
            return [lazy.flow.read(f"f{i}") for i in range(first, last)]
        return [lazy.flow.create({"value": i}) for i in range(first, last)]

    held = some(lazy, 0, 1)
    until(lambda: api.held == 1)
    thunks = some(lazy, 1, 5)
    gate.set()
    assert [thunk["value"] for thunk in [*held, *thunks]] == list(range(5))
    assert api.kinds() == [verb, f"{verb}_many", *[verb] * 4]
    later = LazyAPI(api)  # what was learnt belongs to the api
    assert [thunk["value"] for thunk in some(later, 5, 8)] == [5, 6, 7]
    assert api.kinds()[6:] == [verb] * 3


def test_calls_that_are_all_wrong_do_not_prove_that_there_is_no_bulk_form(api, lazy, gate):
    api.failure = refuse_bad
    lazy.flow.create({"value": "first"})
    until(lambda: api.held == 1)
    thunks = [lazy.flow.create({"value": value}) for value in ("bad", "bad", 1)]
    gate.set()
    assert kinds_of(thunks) == [FlowThingsBadRequest, FlowThingsBadRequest, type(None)]
    api.requests.clear()
    api.gate = BACKEND.event()
    lazy.flow.create({"value": "first"})
    until(lambda: api.held == 1)
    good = [lazy.flow.create({"value": i}) for i in range(3)]
    api.gate.set()
    assert [thunk["value"] for thunk in good] == [0, 1, 2]
    assert api.kinds() == ["create", "create_many"]


# Order


def test_creates_of_one_service_keep_their_order(api, lazy):
    api.delay = 0.0005
    for i in range(100):
        lazy.flow.create({"value": i})
        if i % 7 == 0:
            BACKEND.sleep(0)
        if i % 20 == 3:
            lazy.flow.create({"value": i + 0.5}, extra="goes alone")
    with lazy:
        pass
    values = [one["value"] for one in api.flow.stored.values()]
    assert values == sorted(values)
    assert len(values) == 105
    assert len(api.requests) < 60


# Thunks that nobody keeps


def test_what_nobody_waits_for_is_sent_all_the_same(api, lazy):
    for i in range(25):
        lazy.flow.create({"value": i})
    del lazy
    until(lambda: len(api.flow.stored) == 25, "all of them")


def test_a_block_waits_for_what_was_fired_in_it(api):
    def late(lazy):
        BACKEND.sleep(0.003)
        lazy.flow.create({"value": "late"})

    api.delay = 0.002
    with LazyAPI(api) as lazy:
        for i in range(5):
            lazy.flow.create({"value": i})
        lazy.call(late, lazy)
        lazy.flow.count()
    assert len(api.flow.stored) == 6
    assert "count" in api.kinds()


def test_a_block_left_by_an_error_waits_too(api):
    api.delay = 0.002
    with pytest.raises(KeyError), LazyAPI(api) as lazy:  # noqa: PT012
        lazy.flow.create({"value": 1})
        raise KeyError
    assert len(api.flow.stored) == 1


def test_a_block_left_by_an_interrupt_gives_its_calls_up(api, gate):
    with pytest.raises(KeyboardInterrupt), LazyAPI(api) as lazy:  # noqa: PT012
        held = lazy.flow.create({"value": 0})
        until(lambda: api.held == 1)
        waiting = [lazy.flow.create({"value": i}) for i in range(3)]
        gate.set() if not GREEN else None  # an OS thread runs to its end
        raise KeyboardInterrupt
    errors = errors_of(waiting)
    if GREEN:
        assert [type(error) for error in [*errors_of([held]), *errors]] == [CallCancelled] * 4
        assert api.kinds() == ["create"]
    assert len(api.requests) <= 2


def warned(make):
    """The warnings about failures that `make` leaves behind, without a garbage collection."""
    gc.collect()
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        make()
        BACKEND.sleep(0.005)
    return [str(w.message) for w in recorded if w.category is UnretrievedFailure]


def test_a_failed_batch_nobody_looked_at_warns_once(api):
    api.failure = refuse(ConnectionFailed("it broke"), "create", "create_many")

    def make():
        with LazyAPI(api, pool=1) as lazy:
            for i in range(5):
                lazy.flow.create({"value": i})

    messages = warned(make)
    assert 1 <= len(messages) <= 2  # on threads the first leaves alone
    assert "it broke" in messages[-1]
    assert "more in the same request" in messages[-1]


def test_a_missing_id_nobody_looked_at_warns_and_one_that_was_seen_does_not(api):
    api.fill("a", "b")

    def unseen():
        with LazyAPI(api) as lazy:
            for id in ("a", "nope", "b"):
                lazy.flow.read(id)

    def seen():
        with LazyAPI(api) as lazy:
            thunks = [lazy.flow.read(id) for id in ("a", "nope", "b")]
            assert kinds_of(thunks)[1] is FlowThingsNotFound

    (message,) = warned(unseen)
    assert "nope" in message
    assert "flow.read called at" in message
    assert warned(seen) == []


# Functions of one's own


def test_functions_of_ones_own_run_side_by_side_and_share_batches(api, lazy):
    api.fill(*(f"f{i}" for i in range(5)), *(f"of f{i}" for i in range(5)))
    api.delay = 0.005

    def two_steps(number):
        first = lazy.flow.read(f"f{number % 5}")
        return lazy.flow.read(f"of {first['id']}")["id"]

    thunks = lazy.map(two_steps, range(20))
    assert all(type(thunk) is GreenThunk for thunk in thunks)
    assert thunks == [f"of f{number % 5}" for number in range(20)]
    if GREEN:
        assert api.kinds() == ["read_many"] * 2
    else:
        assert len(api.requests) <= 20


@pytest.mark.parametrize("callers", [200])
def test_two_hundred_callers_make_two_round_trips(api, lazy, callers, monkeypatch):
    form = type(api.flow).read.__api_bulk__
    monkeypatch.setattr(form, "most", 500)
    ids = [f"f{i}" for i in range(150)]
    api.fill(*ids, *(f"of {id}" for id in ids))

    def two_steps(number):
        first = lazy.flow.read(ids[number % 150])
        return lazy.flow.read(f"of {first['id']}")["id"]

    assert lazy.map(two_steps, range(callers)) == [f"of f{number % 150}" for number in range(callers)]
    assert len(api.requests) == 2 if GREEN else len(api.requests) <= 100


def test_thunks_among_the_arguments_are_waited_for_there(api, lazy, gate):
    api.fill("a", "b")
    a, b = lazy.flow.read("a"), lazy.flow.read("b")
    total = lazy.call(lambda one, rest, more: (one["id"], rest[0]["id"], more), a, [b], more={"a": a})
    assert not is_ready(total)
    gate.set()
    assert total == ("a", "b", {"a": {"id": "a", "value": 0, "tags": ["a"]}})
    with pytest.raises(ValueError, match="boom"):
        lazy.call(int, "boom").force()
    assert "call" not in repr(lazy.call(len, "abc").force())
    assert "test_batcher" in repr(lazy.call(gate.wait))


# Interruptions


def test_an_interrupted_wait_leaves_the_batch_of_the_others_alone(api, lazy, gate):
    api.fill(*"abc")
    thunks = [lazy.flow.read(id) for id in "abc"]
    for _ in range(3):
        with interrupted():
            force(thunks[0])
            raise AssertionError("was not interrupted")
        assert not is_ready(thunks[0])
    gate.set()
    assert [thunk["id"] for thunk in thunks] == ["a", "b", "c"]
    assert all(thunk._future is None for thunk in thunks)


@pytest.mark.needs("green", "an OS thread cannot be killed")
def test_a_killed_caller_takes_no_batch_with_it(api, lazy, gate):
    api.fill(*"abc")
    callers = [BACKEND.spawn(lambda id=id: lazy.flow.read(id)["id"]) for id in "abc"]
    until(lambda: api.held == 1)
    BACKEND.kill(callers[0])
    with pytest.raises(CallCancelled):
        BACKEND.get(callers[0])
    gate.set()
    assert [BACKEND.get(caller) for caller in callers[1:]] == ["b", "c"]
    assert len(api.requests) == 1


@pytest.mark.needs("green", "an OS thread cannot be killed")
@pytest.mark.parametrize("started", [True, False])
def test_a_killed_sender_fails_its_calls_clearly_and_others_leave(api, lazy, gate, started):
    api.fill(*"abc")
    thunks = [lazy.flow.read(id) for id in "abc"]
    if started:
        until(lambda: api.held == 1)
    (dispatcher,) = lazy._batcher._threads
    dispatcher.task.request_cancel()
    if started:
        assert kinds_of(thunks) == [CallCancelled] * 3
    gate.set()
    if not started:
        assert [thunk["id"] for thunk in thunks] == ["a", "b", "c"]
    assert lazy.flow.read("a")["id"] == "a"


def test_an_exception_of_any_kind_in_a_sender_leaves_nobody_waiting(api, lazy, gate, monkeypatch):
    class Odd(BaseException):
        pass

    api.fill(*"abc")
    hold_first(api, lazy)
    api.failure = refuse(Odd("odd"), "read_many")
    thunks = [lazy.flow.read(id) for id in "abc"]
    gate.set()
    for thunk in thunks:
        with pytest.raises(Odd):
            force(thunk)
    assert lazy.flow.read("a")["id"] == "a"


def test_a_copy_of_a_shared_failure_is_what_the_plain_call_would_raise(api, lazy, gate):
    hold_first(api, lazy)
    error = FlowThingsServerError(["it", "broke"], status=500, method="MGET", path="/flow")
    api.failure = refuse(error, "read_many")
    thunks = [lazy.flow.read(id) for id in "ab"]
    gate.set()
    for own in errors_of(thunks):
        assert (own.errors, own.status, own.path) == (error.errors, 500, "/flow")
        assert copy.copy(own).errors == error.errors


@pytest.mark.needs("green", "OS threads may use one lazy object together")
def test_another_os_thread_is_told_that_the_lazy_object_is_not_its_own(api, lazy):
    lazy.flow.read  # noqa: B018 (looked at here, so it belongs to this thread)
    with pytest.raises(WrongThread, match="G10"):
        native(lambda: lazy.flow.read("a"))
    with pytest.raises(WrongThread, match="G10"):
        native(lambda: lazy.call(len, "a"))


def test_a_forked_child_says_what_became_of_calls_on_their_way_and_makes_its_own():
    done = python(
        """
        import sys
        sys.path.insert(0, ".")
        from flowthings_like.errors import FlowThingsError
        from flowthings_like.green import LazyAPI, detect, force
        from tests.green.bulky import Platform
        from tests.forked import forked
        from tests.green.fakes import until
        api = Platform()
        api.fill("a", "b")
        api.gate = detect().event()
        lazy = LazyAPI(api)
        before = lazy.flow.read("a")
        until(lambda: api.held == 1)
        queued = lazy.flow.read("b")
        def child():
            api.gate.set()
            try:
                assert force(before)["id"] == "a"
                assert detect().name != "threads"
            except FlowThingsError as error:
                assert "forked" in str(error)
            assert queued["id"] == "b"
            assert lazy.flow.read("a")["id"] == "a"
        said = forked(child)
        api.gate.set()
        assert (before["id"], queued["id"]) == ("a", "b")
        print(said())
        """,
        BACKEND.name,
    )
    assert done.out == "fine"


@pytest.mark.needs("green", "threads leave without being let")
def test_a_whole_batch_leaves_while_its_caller_goes_on(api, lazy):
    api.fill(*map(str, range(25)))
    thunks = [lazy.flow.read(str(i)) for i in range(25)]
    assert [len(asked) for kind, _, *asked in api.requests if kind == "read_many"] == [10, 10]
    assert [thunk["id"] for thunk in thunks] == [str(i) for i in range(25)]

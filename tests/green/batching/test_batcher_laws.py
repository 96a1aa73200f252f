"""Whatever a program asks lazily, it gets what it would get by asking plainly."""

from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.green import LazyAPI, detect, force

from ..bulky import Platform, refuse_bad

BACKEND = detect()

IDS = st.sampled_from(["a", "b", "c", "nope"])
VALUES = st.sampled_from([1, 2, 3, 4, "bad", None])
FLOWS = st.sampled_from(["x", "y", "z"])
OFTEN = settings(deadline=None, max_examples=60)

reading = st.one_of(
    st.tuples(st.just("read"), IDS),
    st.tuples(st.just("find"), IDS),
    st.tuples(st.just("search"), FLOWS, st.sampled_from([0, 2, 3])),
    st.tuples(st.just("count")),
)
writing = st.one_of(
    st.tuples(st.just("create"), FLOWS, VALUES),
    st.tuples(st.just("update"), IDS, VALUES),
    st.tuples(st.just("delete"), IDS),
)
anything = st.one_of(reading, writing, st.just(("look",)))


def platform():
    api = Platform()
    api.fill("a", "b", "c")
    for number, flow in enumerate("xyz"):
        for value in range(number + 2):
            api.service(f"/drop/{flow}").store({"value": value})
    api.failure = refuse_bad
    return api


def make(api, step):
    """One step of a program, on the api itself or on a lazy one."""
    verb, *rest = step
    if verb in ("read", "find", "delete"):
        return getattr(api.flow, verb)(*rest)
    if verb == "search":
        return api.drop(rest[0]).find(rest[1])
    if verb == "create":
        return api.drop(rest[0]).create({"value": rest[1]})
    if verb == "update":
        return api.flow.update({"id": rest[0], "value": rest[1]})
    return api.flow.count()


def outcome(function, *args):
    try:
        return force(function(*args))
    except Exception as error:
        return type(error)


def state(api):
    return {path: [*service.stored.values()] for path, service in api.services.items()}


@OFTEN
@given(st.lists(reading, max_size=40))
def test_reads_answer_as_plain_ones_do(steps):
    plain = platform()
    expected = [outcome(make, plain, step) for step in steps]
    lazy = LazyAPI(platform())
    thunks = [make(lazy, step) for step in steps]
    assert [outcome(force, thunk) for thunk in thunks] == expected


@OFTEN
@given(st.lists(anything, max_size=30))
def test_a_program_that_looks_at_each_result_before_it_writes_is_the_plain_program(steps):
    """Reads are waited for before a write, writes before anything else: so the order is the plain one."""
    plain, served = platform(), platform()
    lazy = LazyAPI(served)
    expected, found, open_reads = [], [], []

    def look():
        found.extend(outcome(force, thunk) for thunk in open_reads)
        open_reads.clear()

    for step in steps:
        if step[0] == "look":
            look()
            continue
        expected.append(outcome(make, plain, step))
        if step[0] in ("create", "update", "delete"):
            look()
            found.append(outcome(make, lazy, step))
        else:
            open_reads.append(make(lazy, step))
    look()
    assert found == expected
    assert state(served) == state(plain)
    assert len(served.requests) <= len(plain.requests) + len(steps)


@OFTEN
@given(st.lists(st.tuples(FLOWS, VALUES), max_size=40), st.sampled_from([None, 0.0]))
def test_creates_end_as_plain_ones_in_the_same_order(creates, delay):
    plain, served = platform(), platform()
    served.delay = delay
    expected = [outcome(make, plain, ("create", *create)) for create in creates]
    with LazyAPI(served) as lazy:
        thunks = [make(lazy, ("create", *create)) for create in creates]
        assert [outcome(force, thunk) for thunk in thunks] == expected
    assert state(served) == state(plain)


@OFTEN
@given(st.lists(st.tuples(IDS, VALUES), max_size=30))
def test_the_last_update_of_a_resource_wins(updates):
    plain, served = platform(), platform()
    expected = [outcome(make, plain, ("update", *update)) for update in updates]
    with LazyAPI(served) as lazy:
        thunks = [make(lazy, ("update", *update)) for update in updates]
        assert [outcome(force, thunk) for thunk in thunks] == expected
    assert state(served) == state(plain)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(IDS, min_size=1, max_size=4), max_size=12))
def test_functions_that_look_up_step_by_step_return_what_they_would_alone(chains):
    lazy = LazyAPI(platform())

    def follow(api, chain):
        return [outcome(api.flow.read, id) for id in chain]

    plain = platform()
    expected = [follow(plain, chain) for chain in chains]
    assert lazy.map(lambda chain: follow(lazy, chain), chains) == expected

"""A result that another OS thread asks for: a clear error on green backends, the result on threads."""

import pytest

from flowthings_like.errors import WrongThread
from flowthings_like.green import AsyncAPI, LazyAPI, detect, force, is_ready, native

from ..bulky import Platform
from ..fakes import until

BACKEND = detect()
GREEN = BACKEND.name != "threads"


def in_a_pool(function):
    """In a thread of the library's own pool."""
    if BACKEND.name == "gevent":
        import gevent

        return gevent.get_hub().threadpool.apply(function)
    if BACKEND.name == "eventlet":
        from eventlet import tpool

        return tpool.execute(function)
    return BACKEND.get(BACKEND.spawn(function))


def in_a_thread(function):
    """In an OS thread that no green library knows."""
    found = []

    def run():
        try:
            found.append(function())
        except BaseException as error:
            found.append(error)

    if BACKEND.name == "gevent":
        from gevent.monkey import get_original

        get_original("_thread", "start_new_thread")(run, ())
    elif BACKEND.name == "eventlet":
        from eventlet import patcher

        patcher.original("threading").Thread(target=run, daemon=True).start()
    else:
        BACKEND.spawn(run)
    until(lambda: found, "its end")
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


ELSEWHERE = {"native": native, "the library's pool": in_a_pool, "an OS thread": in_a_thread}
CALLS = {
    "read": lambda lazy: lazy.flow.read("a"),
    "create": lambda lazy: lazy.flow.create({"value": 0}),
    "find": lambda lazy: lazy.drop("f").find(),
    "alone": lambda lazy: lazy.flow.read("a", only="value"),
    "no bulk form": lambda lazy: lazy.flow.count(),
    "function": lambda lazy: lazy.call(lambda: lazy.flow.read("a")["id"]),
}


@pytest.fixture
def api():
    api = Platform()
    api.fill("a", "b")
    return api


@pytest.mark.parametrize("elsewhere", ELSEWHERE.values(), ids=ELSEWHERE)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("sent", [False, True])
def test_force_in_another_os_thread(api, elsewhere, call, sent):
    api.gate = BACKEND.event()
    lazy = LazyAPI(api)
    thunk = call(lazy)
    if sent:
        until(lambda: api.held == 1)
    if GREEN:
        for ask in (lambda: force(thunk), lambda: thunk.unwrap(), lambda: str(thunk), lambda: thunk == 1):
            with pytest.raises(WrongThread, match="G10"):
                elsewhere(ask)
        assert not is_ready(thunk)
        api.gate.set()
        value = force(thunk)
    else:
        api.gate.set()
        value = elsewhere(lambda: force(thunk))
    assert elsewhere(lambda: force(thunk)) is value
    assert force(call(lazy)) is not None


@pytest.mark.parametrize("elsewhere", ELSEWHERE.values(), ids=ELSEWHERE)
def test_results_in_another_os_thread(api, elsewhere):
    api.gate = BACKEND.event()
    calls = AsyncAPI(api)
    threads = [calls.flow.read("a") for _ in range(3)]
    if GREEN:
        for ask in (calls.results, threads[0].get, threads[0].wait):
            with pytest.raises(WrongThread, match="G10"):
                elsewhere(ask)
        with pytest.raises(WrongThread, match="G10"):
            elsewhere(lambda: calls.flow.read("b"))
        api.gate.set()
        threads[2].get()
    else:
        api.gate.set()
    assert [found["id"] for found in elsewhere(calls.results)] == ["a"] * 3


@pytest.mark.needs("threads", "an object belongs to an OS thread there")
@pytest.mark.parametrize("elsewhere", ELSEWHERE.values(), ids=ELSEWHERE)
def test_on_threads_calls_may_be_made_anywhere(api, elsewhere):
    lazy, calls = LazyAPI(api), AsyncAPI(api)
    thunk = elsewhere(lambda: lazy.flow.read("a"))
    assert thunk["id"] == "a"
    elsewhere(lambda: calls.flow.read("b"))
    assert calls.results()[0]["id"] == "b"


def ask(function):
    return function()


@pytest.mark.needs("green", "plain threads share lazy objects")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("first", [False, True])
def test_a_call_in_another_os_thread_is_told_what_to_make(api, call, first):
    lazy, calls = LazyAPI(api), AsyncAPI(api)
    here, elsewhere = (native, ask) if first else (ask, native)
    here(lambda: force(lazy.flow.read("b")))
    here(lambda: [calls.flow.read("b"), calls.results()])
    for make in (lambda: force(call(lazy)), lambda: calls.flow.read("a")):
        with pytest.raises(WrongThread, match=r"make a lazy\(\) or async_\(\) object in it"):
            elsewhere(make)
    assert elsewhere(lambda: force(LazyAPI(api).flow.read("a")))["id"] == "a"
    if here is ask:
        assert force(lazy.flow.read("a"))["id"] == "a"

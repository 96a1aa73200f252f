"""The choice of the backend. Each test runs an interpreter, because patching cannot be undone."""

import sys

import pytest

from flowthings_like.errors import ConfigurationError
from flowthings_like.green import AsyncAPI, LazyAPI, choose, detect

from ..fakes import Api, python

TRY = """
from flowthings_like.errors import ConfigurationError
from flowthings_like.green import AsyncAPI, detect
from tests.green.fakes import Api
def attempt(async_lib=None, pool=None):
    api = Api()
    calls = AsyncAPI(api, async_lib, pool)
    try:
        calls.flow.give(1)
    except ConfigurationError as error:
        assert api.flow.count == 0
        print(error)
    else:
        print(calls.results(), calls._pool.backend.name)
"""


def test_importing_this_package_imports_neither_library():
    done = python(
        """
        import sys
        import flowthings_like.green as green
        green.LazyAPI(object()), green.AsyncAPI(object())
        assert green.detect().name == "threads" and green.native(len, "abc") == 3
        print([name for name in ("gevent", "eventlet", "greenlet", "asyncio") if name in sys.modules])
        """
    )
    assert done.out == "[]"


@pytest.mark.parametrize("name", ["threads", "gevent", "eventlet"])
def test_what_is_patched_is_chosen(name):
    assert python(TRY + "attempt(); print(detect().name)", name).out.splitlines() == [f"[1] {name}", name]


@pytest.mark.parametrize("name", ["gevent", "eventlet"])
def test_a_library_that_has_patched_nothing_is_refused_with_what_to_write(name):
    done = python(TRY + f"import {name}; attempt({name}); attempt('{name}'); attempt()")
    *refused, default = done.out.splitlines()
    patch = {"gevent": "from gevent import monkey; monkey.patch_all()", "eventlet": "eventlet.monkey_patch()"}
    assert len(refused) == 2
    for message in refused:
        assert patch[name] in message
        assert "first lines" in message
        assert 'async_lib="threads"' in message
    assert default == "[1] threads"


@pytest.mark.parametrize("name", ["gevent", "eventlet"])
def test_a_library_that_is_not_imported_is_not_imported_by_the_choice(name):
    done = python(TRY + f"attempt('{name}'); import sys; print('{name}' in sys.modules)")
    message, imported = done.out.splitlines()
    assert "monkey" in message
    assert imported == "False"


@pytest.mark.parametrize(
    ("name", "pool"), [("gevent", "gevent.pool.Pool(2)"), ("eventlet", "eventlet.GreenPool(2)")]
)
def test_a_librarys_pool_without_its_patching_is_refused(name, pool):
    done = python(TRY + f"import {pool.rpartition('.')[0]}; attempt(pool={pool})")
    assert "monkey" in done.out
    assert 'async_lib="threads"' in done.out


def test_the_other_library_is_named_if_it_has_patched():
    done = python(TRY + "attempt('eventlet')", "gevent")
    assert 'async_lib="gevent", which has patched it' in done.out


def test_late_patching_is_seen_because_the_choice_is_made_at_the_first_call():
    done = python(TRY + "calls = AsyncAPI(Api()); detect()\n" + LATE)
    assert done.out == "gevent"


LATE = """
from gevent import monkey; monkey.patch_all()
calls.flow.give(1); print(calls._pool.backend.name)
"""


def test_both_patched_is_refused():
    done = python(TRY + "import eventlet; eventlet.monkey_patch(socket=True); attempt()\n", "gevent")
    assert "both gevent and eventlet" in done.out


def test_threads_may_be_named_anywhere():
    for name in ("threads", "gevent", "eventlet"):
        assert python(TRY + "attempt('threads')", name).out == "[1] threads"


@pytest.mark.parametrize("unknown", ["asyncio", "", 7, sys, object(), b"gevent"])
def test_an_unknown_name_is_refused_with_the_names_that_exist(unknown):
    with pytest.raises(ConfigurationError, match=r'"gevent", "eventlet", "threads"'):
        choose(unknown)
    with pytest.raises(ConfigurationError, match="not known"):
        LazyAPI(Api(), unknown).flow.give(1)


def test_a_stand_in_without_a_pool_is_refused():
    class Fake:
        __name__ = "eventlet"

    with pytest.raises(ConfigurationError, match="no GreenPool"):
        choose(Fake())


def test_a_backend_may_be_named_by_module_name_or_itself():
    name = detect().name
    assert choose(name) is choose() is choose(detect())
    if name != "threads":
        assert choose(sys.modules[name]) is detect()
    assert AsyncAPI(Api(), detect()).flow.give(1).get() == 1

"""`flowthings_like.streams` by itself: no API, no account, and no package before it is needed."""

from __future__ import annotations

import builtins

import pytest

from flowthings_like import streams
from tests.test_import import HEAVY, run


@pytest.mark.once
def test_importing_it_brings_in_nothing_heavy() -> None:
    """Neither numpy nor protobuf; nor sockets and ssl, so that both may still be patched."""
    heavy = {*HEAVY, "google", "h2", "pandas", "polars", "pyarrow", "yaml"}
    script = f"""
import sys
import flowthings_like
assert "flowthings_like.streams" not in sys.modules
from flowthings_like.streams import Client, StreamSet, connect, to_nanoseconds
client = Client("localhost:4410", "key")
stream = client.stream_from_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
StreamSet([stream]).filter(start="2024-01-01")
assert flowthings_like.API(flowthings_like.Token("a", "b"), streams="localhost").stream
print([name for name in {heavy!r} if name in sys.modules])
"""
    assert run(script) == "[]"


@pytest.mark.once
@pytest.mark.parametrize(
    "patch", ["from gevent import monkey; monkey.patch_all()", "import eventlet; eventlet.monkey_patch()"]
)
def test_a_client_may_be_made_before_the_patching(patch: str) -> None:
    script = f"""
import warnings
from flowthings_like.streams import Client, ConnectionFailed
client = Client("127.0.0.1:9", retry=False)
warnings.filterwarnings("error", message="Monkey-patching")
{patch}
try:
    client.info()
except ConnectionFailed as error:
    print(type(error).__name__)
"""
    assert run(script) == "ConnectionFailed"


@pytest.mark.once
def test_what_it_has() -> None:
    """No name of a builtin among them, so that `import *` hides none."""
    assert sorted(streams.__all__) == sorted(set(streams.__all__))
    assert all(hasattr(streams, name) for name in streams.__all__)
    assert not [name for name in streams.__all__ if hasattr(builtins, name)]
    assert issubclass(streams.StreamNotFoundError, streams.streams_errors.BTrDBError)


@pytest.mark.once
def test_a_package_that_is_missing_is_named() -> None:
    script = """
import sys
sys.modules["numpy"] = None
from flowthings_like import ConfigurationError
from flowthings_like.streams import Client
stream = Client("127.0.0.1:9", retry=False).stream_from_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
try:
    stream.insert([(1, 2.0)])
except ConfigurationError as error:
    print(error)
"""
    assert "pip install 'flowthings_like[streams]'" in run(script)

"""What `import flowthings_like` imports and makes, each tested in a new interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = (
    *("gevent", "eventlet", "sqlalchemy", "numpy", "re2", "websocket", "flowthings_like.platform"),
    *("msgpack", "msgspec", "lark", "wsproto", "ssl", "socket"),
)


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_brings_in_nothing_heavy() -> None:
    script = f"""
import sys
import flowthings_like
api = flowthings_like.API(flowthings_like.Token("a", "b"))
api.drop("f1")
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    assert run(script) == "[]"


def test_a_database_pool_brings_in_its_driver_alone() -> None:
    script = f"""
import sys
from flowthings_like.database import ConnectionPool
ConnectionPool.from_url("sqlite://")
others = {{"psycopg", "psycopg2", "pg8000", "pymysql", "duckdb", *{HEAVY!r}}} - {{"ssl", "socket"}}
print([name for name in sorted(others) if name in sys.modules])
"""
    assert run(script) == "[]"


def test_importing_makes_no_lock_thread_or_session() -> None:
    script = """
import threading, socket
made = []
for name in ("Lock", "RLock", "Event", "Condition", "local", "Thread"):
    original = getattr(threading, name)
    class Counted:
        def __new__(cls, *args, _name=name, _original=original, **options):
            import sys
            caller = sys._getframe(1).f_globals.get("__name__", "")
            if caller.startswith("flowthings_like"):
                made.append((_name, caller))
            return _original(*args, **options)
    setattr(threading, name, Counted)
import flowthings_like
flowthings_like.API(flowthings_like.Token("a", "b"))
print(made)
"""
    assert run(script) == "[]"


def test_an_api_may_be_made_before_the_patching() -> None:
    script = """
from flowthings_like import API, Token
api = API(Token("a", "b"), host="127.0.0.1:9", secure=False)
from gevent import monkey
monkey.patch_all()
import socket
assert api.session.adapters
try:
    api.flow.find()
except ConnectionError as error:
    print(type(error).__name__)
"""
    assert run(script) == "ConnectionFailed"

"""Use an installed flowthings_like: `python smoke.py none`, or with the names of the extras it came with.

Copied into an environment that has nothing else. Each extra is tried in an interpreter of its own, since two
of them patch.
"""

from __future__ import annotations

import subprocess
import sys

NONE = """
import flowthings_like
from flowthings_like import API, ConfigurationError, ConnectionFailed, Token, doctor, mem

options = {"host": "127.0.0.1:1", "secure": False, "retry": False}
for transport in ("auto", "requests"):
    api = API(Token("acme", "secret"), transport=transport, **options)
    try:
        api.flow.find(mem.path == "/acme/a")
        raise SystemExit("nobody listens there")
    except ConnectionFailed:
        pass
def answer(method, url, params=None, data=None, creds=None):
    return '{"head": {"ok": true, "status": 200}, "body": [{"path": "/acme/a"}]}', {}, 200
api.request = answer
assert api.lazy().flow.find()[0]["path"] == "/acme/a"
assert [flows[0]["path"] for flows in [api.async_().flow.find().get()]] == ["/acme/a"]
from flowthings_like.database import ConnectionPool
with ConnectionPool("sqlite3", ":memory:") as pool:
    pool.run_operation("create table t (a)")
    assert pool.run_query("select count(*) as n from t", rows_as=dict) == [{"n": 0}]
assert doctor() == []
if BARE:
    try:
        API.embedded("data")
        raise SystemExit("the platform's packages are not installed")
    except ConfigurationError as error:
        assert "flowthings_like[embedded]" in str(error), error
    try:
        API(Token("acme", "secret"), streams="grpc://127.0.0.1:1", **options).stream.info()
        raise SystemExit("what streams need is not installed")
    except ConfigurationError as error:
        assert "flowthings_like[streams]" in str(error), error
"""
THINGS = """
import msgspec
from flowthings_like import Client
from flowthings_like.wire.things import values
assert values.msgspec is msgspec
assert values.unpack(values.pack({"a": [1, 2.5, None]})) == {"a": [1, 2.5, None]}
try:
    Client().connect("127.0.0.1", 1, timeout=1)
    raise SystemExit("nobody listens there")
except OSError:
    pass
"""
EMBEDDED = """
import re
from flowthings_like import API, mem
with API.embedded("data-of-" + NAME) as api:
    flow = api.flow.create({"path": "/acme/a"})
    api.drop(flow).create_many([{"elems": {"n": n, "name": f"row {n}"}} for n in range(100)])
    assert len(api.drop(flow).find(mem.elems.name.re("^row 1"), limit=100)) == 11
    assert api.drop(flow).aggregate(["$sum:n"])[0]["$sum:n"] == 4950
    assert api.things.query(".x = n; .x + 1;", scope="//stuff", n=41) == 42
    assert len(api.lazy().drop(flow).find(mem.elems.n > 89, limit=100)) == 10
    from uuid import uuid4
    stream = api.stream.create(uuid4(), "sensors/a", tags={"name": "temp", "unit": "F"})
    stream.insert([(n, float(n)) for n in range(100)])
    assert stream.windows(0, 100, width=50).means.tolist() == [24.5, 74.5]
    assert api.db.run_query("select 1") == [(1,)]
"""
STREAMS = """
from flowthings_like.streams import ConnectionFailed, connect
try:
    connect("127.0.0.1:1", apikey="secret").info()
    raise SystemExit("nobody listens there")
except ConnectionFailed:
    pass
"""
DRIVER = """
from flowthings_like.database import ConnectionPool
assert repr(ConnectionPool.from_url("URL")) == "<ConnectionPool of DRIVER, at most 5>"
"""
PATCHED = """
import LIBRARY
PATCH
import time
from flowthings_like import API, Token, doctor
from flowthings_like.green import detect
assert detect().name == "LIBRARY"
def answer(method, url, params=None, data=None, creds=None):
    time.sleep(0.2)
    return '{"head": {"ok": true, "status": 200}, "body": []}', {}, 200
api = API(Token("acme", "secret"), host="flows.example.com", request=answer)
began = time.monotonic()
lazy = api.lazy()
assert [list(found) for found in [lazy.flow.find(limit=n) for n in range(50)]] == [[]] * 50
assert time.monotonic() - began < 5, "one after the other"
assert doctor() == [], doctor()
"""
SERVE = """
import signal, subprocess, sys
from flowthings_like import API, Token
command = [sys.executable, "-m", "flowthings_like", "serve", "--data", "served", "--port", "0"]
server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
try:
    said = {}
    while "listening" not in said:
        line = server.stdout.readline()
        if not line:
            raise SystemExit(f"serve ended: {server.wait()}")
        key, _, value = line.strip().partition(": ")
        said[key] = value
    host = said["listening"].removeprefix("http://")
    api = API(Token(said["account"], said["token"]), host=host, secure=False)
    assert api.flow.create({"path": "/acme/a"})["path"] == "/acme/a"
    api.close()
finally:
    server.send_signal(signal.SIGTERM)
    status = server.wait(60)
assert status == 0, status
"""
DEMO = """
import subprocess, sys
from flowthings_like.cli.demo import find_example
example = find_example()
assert example is not None, "the example was not installed"
assert (example.parent / "data" / "weather.csv.gz").exists()
subprocess.run([sys.executable, str(example), "--help"], check=True, stdout=subprocess.DEVNULL)
"""
JS = """
from flowthings_like.platform.scripts.runner import ScriptRunner
from flowthings_like.platform.scripts.script import Kind, Script

runner = ScriptRunner()
(run,) = runner.run(Script(Kind.TRACK, "drop => drop.n + 1", "acme"), [{"n": 1}], print)
assert run.value == 2, run
runner.close()
"""

ZIPCODES = """
from flowthings_like import mem
from flowthings_like.filters.predicate import compile_predicate

near = compile_predicate(mem.location.WITHIN(5, "KM", zip=10001))
assert near({"location": {"lat": 40.75, "lon": -73.99}}, 0)
"""

TASKS = """
import threading
from flowthings_like.platform.tasks.scheduler import Scheduler

called = threading.Event()
scheduler = Scheduler()
scheduler.start()
scheduler.call_at(0, "now", called.set)
assert called.wait(30)
scheduler.stop(30)
"""

SCOPES = """
from flowthings_like import API, Token
api = API(Token("acme", "secret"), host="127.0.0.1:1", secure=False)
def answer(method, url, params=None, data=None, creds=None):
    return '{"head": {"ok": true, "status": 200}, "body": [{"token": "' + creds.token + '"}]}', {}, 200
api.request = answer
def credentials(environ):
    return Token("acme", environ["HTTP_X_TOKEN"])
"""
FLASK = """
import flask
from flowthings_like.integrations.flask import FlowThings, RequestScopes
app = flask.Flask("smoke")
flowthings = FlowThings(app, RequestScopes(api, credentials=credentials))
@app.get("/")
def found():
    return flask.jsonify(flows=flowthings.lazy.flow.find())
with app.test_client().get("/", headers={"X-Token": "one"}) as answered:
    assert answered.json == {"flows": [{"token": "one"}]}, answered.data
"""
DJANGO = """
import django
from django.conf import settings
from flowthings_like.integrations.request_scope import RequestScopes
settings.configure(
    ROOT_URLCONF="__main__",
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["flowthings_like.integrations.django.FlowThingsMiddleware"],
    FLOWTHINGS_SCOPES=RequestScopes(api, credentials=credentials),
)
django.setup()
from django.http import JsonResponse
from django.test import Client
from django.urls import path
from flowthings_like.integrations.django import JSONEncoder
def found(request):
    return JsonResponse({"flows": request.flowthings.lazy.flow.find()}, encoder=JSONEncoder)
urlpatterns = [path("", found)]
answered = Client(headers={"X-Token": "one"}).get("/")
assert answered.json() == {"flows": [{"token": "one"}]}, answered.content
"""

EXTRAS = {
    "things": THINGS,
    "embedded": EMBEDDED,
    "gevent": PATCHED.replace("PATCH", "from gevent import monkey; monkey.patch_all()").replace(
        "LIBRARY", "gevent"
    ),
    "eventlet": PATCHED.replace("PATCH", "eventlet.monkey_patch()").replace("LIBRARY", "eventlet"),
    "serve": EMBEDDED + SERVE,
    "streams": STREAMS,
    "postgresql": DRIVER.replace("URL", "postgresql://u:p@h/d").replace("DRIVER", "psycopg"),
    "mysql": DRIVER.replace("URL", "mysql://u:p@h/d").replace("DRIVER", "pymysql"),
    "duckdb": DRIVER.replace("URL", "duckdb://").replace("DRIVER", "duckdb"),
    "js": JS,
    "zipcodes": ZIPCODES,
    "tasks": TASKS,
    "flask": SCOPES + FLASK,
    "django": SCOPES + DJANGO,
    "demo": DEMO,
}


def main(names: list[str]) -> None:
    """Try what is there without an extra, then each of these."""
    bare = names == ["none"]
    scripts = {"none": f"BARE = {bare}\n{NONE}", **{name: EXTRAS[name] for name in names if not bare}}
    for name, script in scripts.items():
        code = f"NAME = {name!r}\n{script}"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode:
            raise SystemExit(f"[{name}]: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    version = subprocess.run(
        [sys.executable, "-m", "flowthings_like", "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert version.startswith("flowthings-like "), version


if __name__ == "__main__":
    main(sys.argv[1:])

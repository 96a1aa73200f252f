"""The doctor's checks. Each test runs an interpreter in which the mistake is made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.green.fakes import PATCH, python

pytestmark = pytest.mark.once

GREEN = ("gevent", "eventlet")
TELL = """
import json
from flowthings_like import doctor
print(json.dumps([finding.to_dict() for finding in doctor()]))
"""


def findings(code, backend="threads"):
    """The doctor's findings at the end of a program, by code."""
    told = json.loads(python(code + TELL, backend).out.splitlines()[-1])
    assert [finding["code"] for finding in told] == sorted({finding["code"] for finding in told})
    return {finding["code"]: finding for finding in told}


@pytest.mark.parametrize("backend", ["threads", *GREEN])
def test_a_program_in_order_has_no_findings(backend):
    everything = """
import tempfile, requests, sqlalchemy, websocket, psycopg2.extensions
from flowthings_like import API
with API.embedded(tempfile.mkdtemp()) as api:
    api.flow.create({"path": "/acme/a"})
    assert len(api.lazy().flow.find()) == 1
"""
    if backend == "gevent":
        everything = everything.replace(", psycopg2.extensions", ", psycopg")
    assert findings(everything, backend) == {}


@pytest.mark.parametrize("backend", GREEN)
@pytest.mark.parametrize("before", ["flowthings_like", "flowthings_like.cli.main", "ssl"])
def test_this_package_may_be_imported_before_the_patching(before, backend):
    code = {
        "gevent": "from gevent import monkey; monkey.patch_all()",
        "eventlet": "import eventlet; eventlet.monkey_patch()",
    }[backend]
    assert findings(f"import {before}\n{code}\nimport requests\n") == {}


def test_the_doctor_imports_nothing_that_it_checks():
    code = """
import sys
before = set(sys.modules)
from flowthings_like import doctor
doctor()
names = ("gevent", "eventlet", "greenlet", "psycopg", "psycopg2", "gunicorn", "urllib3", "ssl", "asyncio")
print([name for name in names if name in sys.modules])
"""
    assert python(code).out == "[]"


def test_g01_both_have_patched():
    code = "import warnings; warnings.simplefilter('ignore')\nimport eventlet; eventlet.monkey_patch()\n"
    assert findings(code, "gevent")["G01"]["severity"] == "error"


@pytest.mark.parametrize("library", GREEN)
def test_g02_imported_and_nothing_patched(library):
    found = findings(f"import warnings; warnings.simplefilter('ignore'); import {library}\n")
    assert set(found) == {"G02"}
    assert found["G02"]["seen"].startswith(library)
    assert "patch" in found["G02"]["write"]


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("from gevent import monkey; monkey.patch_all(thread=False, select=False)", "select, thread"),
        ("from gevent import monkey; monkey.patch_socket()", "ssl, select, thread, time"),
        ("from gevent import monkey; monkey.patch_thread(); monkey.patch_time()", "socket, ssl, select"),
        ("import eventlet; eventlet.monkey_patch(thread=False)", "thread"),
        ("import eventlet; eventlet.monkey_patch(socket=True, select=True)", "thread, time"),
    ],
)
def test_g03_a_part_is_patched(code, missing):
    found = findings(f"import warnings; warnings.simplefilter('ignore')\n{code}\n")
    assert set(found) == {"G03"}
    assert f"but not {missing}" in found["G03"]["seen"]


@pytest.mark.parametrize("backend", GREEN)
def test_g04_urllib3_before_the_patching(backend):
    patch = {
        "gevent": "from gevent import monkey; monkey.patch_all()",
        "eventlet": "import eventlet; eventlet.monkey_patch()",
    }
    found = findings(f"import warnings; warnings.simplefilter('ignore')\nimport requests\n{patch[backend]}\n")
    assert set(found) == {"G04"}
    assert "urllib3.util.ssl_.SSLContext" in found["G04"]["seen"]
    assert "requests.packages" not in found["G04"]["seen"]  # an alias of the same module


@pytest.mark.parametrize(
    "taken",
    [
        "from threading import RLock; thing = RLock()",
        "from threading import Lock; thing = Lock()",
        "from threading import Lock as thing",
        "from time import sleep as thing",
        "from socket import socket as thing",
        "from threading import local as thing",
    ],
)
def test_g04_the_programs_own_parts_and_locks(taken):
    code = f"""
import sys, types
app = types.ModuleType("app")
exec({taken!r}, app.__dict__)
for name in ("Lock", "RLock"):
    app.__dict__.pop(name, None)
sys.modules["app"] = app
from gevent import monkey
monkey.patch_all()
"""
    found = findings(code)
    assert set(found) == {"G04"}
    assert "app.thing" in found["G04"]["seen"]


def test_g05_psycopg_before_gevents_patching():
    found = findings("import psycopg\nfrom gevent import monkey; monkey.patch_all()\n")
    assert "G05" in found
    assert "G06" not in found
    assert "G05" not in findings("import psycopg\n", "gevent")
    assert "G05" not in findings("import psycopg\n")


def test_g06_psycopg_under_eventlet(monkeypatch):
    assert set(findings("import psycopg\n", "eventlet")) == {"G06"}
    monkeypatch.setenv("PSYCOPG_WAIT_FUNC", "wait_selector")
    assert findings("import psycopg\n", "eventlet") == {}


def test_g07_psycopg2_without_a_callback():
    assert set(findings("import psycopg2.extensions\n", "gevent")) == {"G07"}
    mended = "import psycopg2.extensions as e\ne.set_wait_callback(lambda connection: None)\n"
    assert findings(mended, "gevent") == {}
    assert findings("import psycopg2.extensions\n") == {}
    assert findings("import psycopg2.extensions\n", "eventlet") == {}  # eventlet sets one


@pytest.mark.parametrize(
    "patch", ["from gevent import monkey; monkey.patch_all()", "import eventlet; eventlet.monkey_patch()"]
)
def test_g09_patched_in_another_thread(patch):
    code = f"""
import os, sys, threading, warnings
from time import sleep  # this is G04, also found
warnings.simplefilter("ignore")
done = []
def patch():
    {patch}
    done.append(True)
threading.Thread(target=patch).start()
while not done:
    sleep(0.01)
from flowthings_like import doctor
print(*[finding.code for finding in doctor()], flush=True)
os._exit(0)  # because the end of the interpreter may hang here
"""
    assert python(code).out == "G04 G09"


FORKS = """
import os, threading, multiprocessing, warnings
from flowthings_like import doctor
from flowthings_like.green import detect
warnings.simplefilter("ignore")
backend = detect()
readable, writable = os.pipe()
def tell():
    os.write(writable, (" ".join(finding.code for finding in doctor()) or "nothing").encode() + b";")
def fork():
    if os.fork() == 0:
        tell()
        os._exit(0)
def process():
    multiprocessing.get_context("fork").Process(target=tell).start()
def green_child():
    if os.fork() == 0:
        backend.get(backend.spawn(tell))
        os._exit(0)
def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
WHAT
print(os.read(readable, 1000).decode())
"""


@pytest.mark.parametrize(
    ("backend", "what"),
    [
        *((backend, "fork()") for backend in GREEN),
        *((backend, "in_thread(fork)") for backend in GREEN),
        *((backend, "backend.get(backend.spawn(fork))") for backend in GREEN),
        ("gevent", "process()"),
        ("gevent", "green_child()"),  # under eventlet a child shares its parent's hub and cannot use it
    ],
)
def test_g09_is_not_found_in_a_child_whose_parent_patched_in_the_main_thread(backend, what):
    assert python(FORKS.replace("WHAT", what), backend).out == "nothing;"


WORKER = """
import sys
from celery import Celery
from flowthings_like import doctor
app = Celery("app", broker="filesystem://", backend="file://" + sys.path[0] + "/results")
queue = sys.path[0] + "/q"
app.conf.broker_transport_options = {"data_folder_in": queue, "data_folder_out": queue}
@app.task
def look():
    return [finding.code for finding in doctor()]
"""


@pytest.mark.parametrize("pool", GREEN)
def test_a_celery_worker_that_works_has_no_findings(pool, tmp_path):
    (tmp_path / "q").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "app.py").write_text(WORKER.replace("sys.path[0]", repr(str(tmp_path))))
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "app",
        "worker",
        "-P",
        pool,
        "-c",
        "2",
        "--without-mingle",
    ]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    try:
        ask = "import json; from app import look; print(json.dumps(look.delay().get(timeout=60)))"
        done = subprocess.run(
            [sys.executable, "-c", ask], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False
        )
    finally:
        worker.kill()
        worker.wait()
    assert done.stdout == "[]\n", done.stderr + (tmp_path / "log").read_text()


def test_g04_in_celerys_own_modules_is_a_lock_or_a_context_only():
    code = """
import sys, types, threading, time
kombu = types.ModuleType("kombu")
kombu.sleep, kombu.lock = time.sleep, threading.Lock()
sys.modules["kombu"] = kombu
from gevent import monkey
monkey.patch_all()
"""
    found = findings(code)
    assert set(found) == {"G04"}
    assert "kombu.lock" in found["G04"]["seen"]
    assert "kombu.sleep" not in found["G04"]["seen"]


@pytest.mark.parametrize("backend", GREEN)
def test_g10_is_recorded(backend):
    code = """
import threading
from flowthings_like.errors import WrongThread
from flowthings_like.green import detect
import sys
if "gevent.monkey" in sys.modules:
    from gevent.monkey import get_original
    start = get_original("_thread", "start_new_thread")
else:
    from eventlet.patcher import original
    start = original("_thread").start_new_thread
backend = detect()
thread = backend.spawn(backend.sleep, 30)
raised = []
def other():
    try:
        backend.get(thread)
    except WrongThread as error:
        raised.append(str(error))
start(other, ())
while not raised:
    backend.sleep(0.01)
assert raised[0].startswith("G10"), raised
"""
    assert set(findings(code, backend)) == {"G10"}


@pytest.mark.parametrize("backend", GREEN)
def test_g13_free_threaded(backend):
    code = """
import sysconfig
real = sysconfig.get_config_var
sysconfig.get_config_var = lambda name: 1 if name == "Py_GIL_DISABLED" else real(name)
"""
    assert set(findings(code, backend)) == {"G13"}
    assert findings(code) == {}


@pytest.mark.parametrize(
    ("version", "stalls"),
    [((3, 13, 11), False), ((3, 13, 12), True), ((3, 14, 2), False), ((3, 14, 3), True), ((3, 15, 0), True)],
)
def test_g15_asyncio_under_gevent(version, stalls):
    code = f"""
import asyncio, sys
import flowthings_like.diagnostics.report
sys.version_info = {(*version, "final", 0)}
"""
    assert set(findings(code, "gevent")) == ({"G15"} if stalls else set())
    assert findings(code) == {}
    assert findings(code.replace("asyncio, ", ""), "gevent") == {}


APPLICATION = """
import json, os
from flowthings_like import doctor
codes = lambda: [finding.code for finding in doctor()]
loaded = codes()
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"loaded": loaded, "running": codes()}).encode()]
"""


POST_FORK = {
    library: f"def post_fork(server, worker):\n    {PATCH[library]}\n" for library in ("gevent", "eventlet")
}


@pytest.mark.parametrize(
    ("settings", "loaded", "running"),
    [
        ("preload_app = True\n", True, True),
        ("preload_app = False\n", False, False),
        ("from gevent import monkey\nmonkey.patch_all()\npreload_app = True\n", False, False),
        (f"preload_app = True\nworker_class = 'sync'\n{POST_FORK['gevent']}", False, True),
        (f"preload_app = True\nworker_class = 'gthread'\n{POST_FORK['eventlet']}", False, True),
        (f"preload_app = False\nworker_class = 'sync'\n{POST_FORK['gevent']}", False, False),
        ("preload_app = True\nworker_class = 'gthread'\n", False, False),
    ],
    ids=[
        *("preloaded", "not preloaded", "patched first", "patched by a hook", "patched by a hook, eventlet"),
        *("patched by a hook, not preloaded", "never patched"),
    ],
)
def test_g14_gunicorn_preloads(settings, loaded, running, tmp_path):
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "settings.py").write_text("bind = 'unix:socket'\nworker_class = 'gevent'\n" + settings)
    command = [sys.executable, "-m", "gunicorn", "-c", "settings.py", "app:application"]
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(tmp_path)])
    log = (tmp_path / "log").open("wb")
    server = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, stderr=log)
    try:
        said = _ask(tmp_path / "socket", server)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        log.close()
    assert ("G14" in said["loaded"]) is loaded, (said, (tmp_path / "log").read_text())
    assert ("G14" in said["running"]) is running, said


@pytest.mark.parametrize(
    ("option", "is_late"), [("--gevent-monkey-patch", True), ("--gevent-early-monkey-patch", False)]
)
def test_g14_uwsgi_patches_late(option, is_late, tmp_path):
    (tmp_path / "app.py").write_text(APPLICATION)
    program = Path(sys.executable).with_name("pyuwsgi")
    command = [
        program,
        "--http-socket",
        "socket",
        "--gevent",
        "5",
        option,
        "--wsgi-file",
        "app.py",
        "--master",
    ]
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(tmp_path)])
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--need-app", "--die-on-term"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            stdout=log,
            stderr=log,
        )
    try:
        said = _ask(tmp_path / "socket", server)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    assert ("G14" in said["loaded"]) is ("G14" in said["running"]) is is_late, said


def _ask(path, server):
    script = f"""
import socket
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect({str(path)!r})
s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(b"".join(iter(lambda: s.recv(65536), b"")).decode().partition("\\r\\n\\r\\n")[2])
"""
    ends = time.monotonic() + 30
    while True:
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
        )
        if done.returncode == 0:
            return json.loads(done.stdout)
        assert server.poll() is None, "gunicorn ended"
        assert time.monotonic() < ends, done.stderr
        time.sleep(0.05)

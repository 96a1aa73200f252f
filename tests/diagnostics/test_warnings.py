"""Findings as warnings: each is given once, before the first use that it would break."""

from __future__ import annotations

import pickle

import pytest

from flowthings_like import Finding, GreenWarning
from flowthings_like.about import DOCS
from tests.green.fakes import ROOT, python

pytestmark = pytest.mark.once

RECORD = """
import tempfile, threading, warnings
from http.server import BaseHTTPRequestHandler, HTTPServer
from flowthings_like import API, GreenWarning, Token, doctor

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        answer = b'{"head": {"ok": true, "status": 200}, "body": []}'
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *args):
        pass

def remote(**options):
    return API(Token("acme", "secret-token"), host=f"127.0.0.1:{server.server_port}", secure=False, **options)

def given(work):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        work()
    found = [warning for warning in seen if issubclass(warning.category, GreenWarning)]
    assert not any("secret-token" in str(warning.message) for warning in found)
    return [warning.message.finding.code for warning in found]

server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
"""
PARTLY = """
from gevent import monkey
monkey.patch_all(ssl=False)
"""


def test_making_an_api_or_a_lazy_object_gives_no_warning_of_the_network():
    code = "import gevent\n" + RECORD
    code += "print(given(lambda: (API(Token('a', 'b')).drop('f'), API.embedded(tempfile.mkdtemp()).lazy())))"
    assert python(code).out == "[]"


def test_the_first_network_call_warns_once():
    code = "import gevent\n" + RECORD
    code += "print(given(lambda: remote().flow.find()), given(lambda: remote().flow.find()))"
    assert python(code).out == "['G02'] []"


def test_calls_within_the_process_give_no_warning_of_the_network():
    code = "import gevent\n" + RECORD
    code += "print(given(lambda: API.embedded(tempfile.mkdtemp()).flow.find()))\n"
    code += 'sender = lambda *args, **options: (b\'{"head": {}, "body": []}\', {}, 200)\n'
    code += "print(given(lambda: API(Token('a', 'b'), request=sender).flow.find()))"
    assert python(code).out.split() == ["[]", "[]"]


@pytest.mark.parametrize("backend", ["threads", "gevent", "eventlet"])
def test_a_program_without_mistakes_gets_no_warning(backend):
    code = (
        RECORD + "print(given(lambda: remote().flow.find()), given(lambda: len(remote().lazy().flow.find())))"
    )
    assert python(code, backend).out == "[] []"


def test_the_first_parallel_call_warns_of_what_blocks_others():
    code = PARTLY + "import psycopg2.extensions\n" + RECORD
    code += "api = API.embedded(tempfile.mkdtemp())\n"
    code += "lazily = lambda: len(api.lazy().flow.find())\n"
    code += "print(given(api.flow.find), given(lazily), given(lazily))"
    assert python(code).out == "[] ['G03', 'G07'] []"


def test_an_unpatched_context_is_warned_of_at_the_first_network_call_only():
    code = "import requests\nfrom gevent import monkey; monkey.patch_all()\n" + RECORD
    code += "api = API.embedded(tempfile.mkdtemp())\n"
    code += "print(given(lambda: len(api.lazy().flow.find())), given(lambda: remote().flow.find()))"
    assert python(code).out == "[] ['G04']"


def test_a_warning_names_the_callers_line_and_the_page():
    code = "import gevent\n" + RECORD + "remote().flow.find()"
    said = python(code).err
    assert said.startswith("<string>:")
    assert "GreenWarning: G02: gevent is imported, and nothing is monkey-patched" in said
    assert f"({DOCS}/doctor.md#g02)" in said


def test_a_warning_that_is_raised_leaves_the_api_usable():
    code = "import gevent\n" + RECORD
    code += """
warnings.simplefilter("error")
api = remote()
try:
    api.flow.find()
except GreenWarning as warning:
    print(warning.finding.code, api.flow.find())
"""
    assert python(code).out == "G02 []"


def test_g11_a_given_session_that_was_used_before_the_fork():
    code = (
        RECORD
        + """
import os, requests
session = requests.Session()
api, own, fresh = remote(session=session), remote(), remote(session=requests.Session())
def in_child(work):
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writable, repr((given(work), given(work), [f.code for f in doctor()])).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return os.read(readable, 1000).decode()
api.flow.find(), own.flow.find()
print(in_child(api.flow.find))
print(in_child(own.flow.find))
print(in_child(fresh.flow.find))
print(given(api.flow.find))
"""
    )
    nothing = "([], [], [])"
    assert python(code).out.splitlines() == ["(['G11'], [], ['G11'])", nothing, nothing, "[]"]


def test_warnings_and_findings_can_be_pickled():
    finding = Finding("G99", "warning", "seen", "why", "write")
    again = pickle.loads(pickle.dumps(GreenWarning(finding)))
    assert again.finding == finding
    assert str(again) == f"G99: seen; why; write ({DOCS}/doctor.md#g99)"
    assert finding.to_dict() == {
        "code": "G99",
        "severity": "warning",
        "seen": "seen",
        "why": "why",
        "write": "write",
        "link": f"{DOCS}/doctor.md#g99",
    }


def test_the_page_explains_every_code():
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith("### ")] == [
        f"### G{number:02}" for number in range(1, 16)
    ]

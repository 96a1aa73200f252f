"""uWSGI forks its workers in C, without Python's fork hooks, after the application was imported."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.platform.rest.served import ROOT, Served

pytestmark = pytest.mark.once
APPLICATION = Path(__file__).with_name("uwsgi_app.py")
UWSGI = Path(sys.executable).with_name("pyuwsgi")
CALLS = 20


@contextmanager
def uwsgi(served: Served, backend: str) -> Iterator[str]:
    """Start two workers; yields the address of their socket."""
    things = served.printed[0].removeprefix("things: ")
    host = served.url.partition("://")[2]
    told = {"BACKEND": backend, "TOKEN": served.token, "HOST": host, "THINGS": things}
    parallel = ["--gevent", "10"] if backend == "gevent" else ["--enable-threads", "--threads", "2"]
    server = ["--http-socket", "127.0.0.1:0", "--master", "--processes", "2", "--die-on-term"]
    process = subprocess.Popen(
        [UWSGI, *server, *parallel, "--need-app", "--wsgi-file", APPLICATION],
        env={**os.environ, **told},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    log: list[str] = []
    assert process.stderr
    reader = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
    try:
        for line in process.stderr:
            log.append(line)
            if "spawned uWSGI worker 2" in line:
                break
        reader.start()
        bound = re.search(r"bound to TCP address (\S+) ", "".join(log))
        assert bound, "".join(log)
        yield bound[1]
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(20)
        process.stderr.close()


def ask(address: str, answers: list[dict[str, Any]]) -> None:
    connection = HTTPConnection(address, timeout=60)
    try:
        connection.request("GET", "/")
        answers.append(json.loads(connection.getresponse().read()))
    finally:
        connection.close()


@pytest.mark.parametrize("backend", ["threads", "gevent"])
def test_what_was_used_before_the_fork_works_in_each_worker(backend: str, tmp_path: Path) -> None:
    """Queries, REST calls, lazy calls of both, and rooms are done once each. None is reported as failed."""
    with Served(tmp_path, "--things-port", "0") as served, uwsgi(served, backend) as address:
        answers: list[dict[str, Any]] = []
        callers = [threading.Thread(target=ask, args=(address, answers)) for _ in range(CALLS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(120)
        assert [answer["error"] for answer in answers if "error" in answer] == []
        assert len(answers) == CALLS
        counts = [answer["count"] for answer in answers] + [answer["lazy"] for answer in answers]
        assert sorted(counts) == [number + 3 for number in range(2 * CALLS)]  # the master has counted to 2
        assert len({answer["drop"] for answer in answers}) == CALLS
        assert all(answer["pid"] != answer["master"] for answer in answers)
        # The room that the master has joined is the master's; a worker's own are joined there.
        assert all(own >= 1 for _, own in (answer["rooms"] for answer in answers))

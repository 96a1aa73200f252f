"""Processes that share a folder end one after the other, and the others are served without a gap."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flowthings_like import API
from flowthings_like.platform.embedded import open_platform

pytestmark = pytest.mark.once

PROCESS = """
import sys
if sys.argv[2] == "gevent":
    from gevent import monkey
    monkey.patch_all()
elif sys.argv[2] == "eventlet":
    import eventlet
    eventlet.monkey_patch()
from flowthings_like import API

with API.embedded(sys.argv[1]) as api:
    number = int(sys.argv[3])
    for turn in range(10):
        api.things.query(".set(name, turn);", "//stuff", name=f"p{number}", turn=turn)
    print("ready", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("backend", ["threads", "gevent", "eventlet"])
def test_processes_that_come_and_go_lose_no_query_and_print_nothing(tmp_path: Path, backend: str) -> None:
    count = 4
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROCESS, str(tmp_path), backend, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    try:
        for process in processes:  # each ends when it is done, while others are at it
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            said, errors = process.communicate(timeout=120)
            assert errors == ""
            assert (said, process.returncode) == ("ready\n", 0)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    with API.embedded(tmp_path) as api:
        assert [api.things.query(f".p{number};", "//stuff") for number in range(count)] == [9] * count


def test_queries_succeed_while_the_process_that_serves_them_ends_repeatedly(tmp_path: Path) -> None:
    """In one process, so that each platform serves until it is closed, while queries are under way."""
    done: list[int] = []
    failures: list[BaseException] = []
    stop = threading.Event()
    serving = open_platform(tmp_path, "acme")
    serving.things_address()
    api = API.embedded(tmp_path)

    def work(number: int) -> None:
        while not stop.is_set():
            try:
                api.things.query(".n = n;", "//stuff", n=number, timeout=60)
            except BaseException as error:
                failures.append(error)
                return
            done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    try:
        for thread in threads:
            thread.start()
        for _ in range(4):
            before = len(done)
            while len(done) < before + 50 and not failures:
                stop.wait(0.005)
            # Another one stands by, to serve as soon as this one ends.
            following = open_platform(tmp_path, "acme")
            serving.close()
            following.things_address()
            serving = following
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        api.close()
        serving.close()
    assert failures == []

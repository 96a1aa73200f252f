from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flowthings_like.files.file_lock import FileLock
from tests.forked import forked

ROOT = str(Path(__file__).parents[2])
HOLD = """
import sys, time
from pathlib import Path
from flowthings_like.files.file_lock import FileLock

lock = FileLock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
time.sleep(600)
"""


def test_one_holder_in_a_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock, other = FileLock(path), FileLock(path)
    assert lock.acquire()
    assert lock.acquire()
    assert not other.acquire()
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(other.acquire()))
    thread.start()
    thread.join()
    assert answers == [other.held] == [False]
    inherited = os.dup(lock.fileno())
    lock.release()
    lock.release()
    assert other.acquire()
    os.close(inherited)
    with pytest.raises(ValueError, match="is not locked"):
        lock.fileno()
    other.release()
    assert lock.acquire()
    lock.release()


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "none" / "lock")
    with pytest.raises(FileNotFoundError):
        lock.acquire()
    assert not lock.held


@pytest.mark.once
def test_a_killed_process_loses_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert not lock.acquire()
        process.kill()
    assert lock.acquire()
    lock.release()


def test_a_forked_child_does_not_keep_it(tmp_path: Path) -> None:
    lock, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert lock.acquire()
    parent, child = socket.socketpair()

    def release() -> None:
        parent.close()  # so that the child ends when the test has failed
        lock.release()
        child.sendall(b"released")
        child.recv(1)
        assert not lock.held

    with parent, child:
        ended = forked(release)
        assert parent.recv(8) == b"released"
        assert not other.acquire()  # the child has not released its parent's lock
        lock.abandon()  # as the system does when a process is killed
        assert other.acquire()
        other.release()
        parent.sendall(b".")
        assert ended() == "fine"

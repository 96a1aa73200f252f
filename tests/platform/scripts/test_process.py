"""The processes for scripts: how they start, and what is left when they do not."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.platform.problems import Unavailable
from flowthings_like.platform.scripts import process
from flowthings_like.platform.scripts.process import ScriptProcess


def descriptors() -> set[str]:
    return {str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.exists()}


def test_a_process_that_cannot_be_started_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise OSError("no memory")

    before = descriptors()
    monkeypatch.setattr("posix.posix_spawn", fail)
    with pytest.raises(Unavailable, match="cannot be started: no memory"):
        ScriptProcess()
    assert descriptors() == before


def test_a_process_that_ends_at_once_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    monkeypatch.setattr(process, "_PROGRAM", Path("/nowhere.py"))
    with pytest.raises(Unavailable, match="ended as it started"):
        ScriptProcess()
    assert descriptors() == before


def test_it_gets_nothing_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    inheritable = os.dup(2)
    os.set_inheritable(inheritable, True)
    running = ScriptProcess(nice=7)
    try:
        there = Path(f"/proc/{running._pid}")
        environment = (there / "environ").read_text().split("\0")
        assert [line for line in environment if line] == ["TZ=UTC", "LC_ALL=C.UTF-8"]
        assert {path.name for path in (there / "fd").iterdir()} == {"0", "1", "2"}
        assert (there / "cwd").readlink() == Path("/")
        limits = (there / "limits").read_text()
        assert "Max open files            3                    3 " in limits
        assert os.getpriority(os.PRIO_PROCESS, running._pid or 0) >= 7
        assert os.getpgid(running._pid or 0) == running._pid
    finally:
        os.close(inheritable)
        running.kill()
    running.kill()
    assert not running.is_alive


def test_the_interpreter_is_found_within_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")
    running = ScriptProcess()
    assert running.is_alive
    running.kill()
    monkeypatch.setattr(sys, "prefix", "/nowhere")
    monkeypatch.setattr(sys, "base_prefix", "/nowhere")
    with pytest.raises(Unavailable, match="scripts need a Python to run in"):
        ScriptProcess()

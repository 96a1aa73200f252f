"""Several processes share a folder: one serves the rooms, and when it is killed another one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from weakref import WeakKeyDictionary

import pytest

from flowthings_like import API, Client
from flowthings_like.green.backends import children

from ...transport.things.scripted_node import Node, wait_until
from .support import Heard, Script

EXAMPLE = Path(__file__).parents[3] / "examples" / "chat.py"
YOU_ARE_IN = "-- you are in; write a line, or end with Ctrl-D"
ROOM = ".has('room') || .room = room(); .room.id();"
SERVING = f"""
import sys
from flowthings_like import API
api = API.embedded(sys.argv[1])
print(api.things.query({ROOM!r}, "//stuff"), flush=True)
for line in sys.stdin:
    api.things.query(".room.emit('msg', said);", "//stuff", said=line.strip())
"""


def test_a_killed_process_is_replaced_and_rooms_go_on(tmp_path: Path) -> None:
    serving = subprocess.Popen(
        [sys.executable, "-c", SERVING, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.stdin is not None
    assert serving.stdout is not None
    try:
        id = int(serving.stdout.readline())
        with API.embedded(tmp_path) as api:
            room = Heard(ROOM)
            room.join(api.things, wait=20)
            assert room.id == id
            print("hello", file=serving.stdin, flush=True)
            room.expect("init", "join", "hello")
            before = api.things.address()
            serving.send_signal(signal.SIGKILL)
            serving.wait(20)
            room.expect("init", "join", "hello", "join")  # though nobody calls
            assert api.things.address() != before
            room.emit("msg", "still here")
            room.expect("init", "join", "hello", "join", "still here")
            assert api.things.query(ROOM, "//stuff") == id
        api.things.wait_closed()
    finally:
        serving.kill()
        serving.communicate(timeout=60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("hooks", [True, False], ids=["hooks", "no hooks"])
def test_a_forked_child_has_a_client_of_its_own_and_no_rooms(
    client: Client, script: Script, played: Node, hooks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no fork hook is run, as under uWSGI."""
    if not hooks:
        monkeypatch.setattr(children, "_living", WeakKeyDictionary())
    room = Heard(7)
    room.join(client, wait=20)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = f"{client.query('child', timeout=30)} {len(client.get_rooms())} {room._membership}"
            own = Heard(7)
            own.join(client, wait=30)
            own.leave(timeout=30)
            client.close()
            os.write(writing, said.encode())
        finally:
            os._exit(0)
    os.close(writing)
    wait_until(lambda: os.waitpid(child, os.WNOHANG)[0] == child, within=20)
    assert os.read(reading, 100) == b"child 0 None"
    os.close(reading)
    assert client.query("parent") == "parent"
    script.emit(7, "msg", 1)
    room.expect("init", "join", 1)
    assert client.get_rooms() == (room,)


class Terminal:
    """A process that runs the chat example."""

    def __init__(self, name: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(EXAMPLE), name, "--folder", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        print(line, file=self.process.stdin, flush=True)

    def read_until(self, line: str) -> None:
        assert self.process.stdout is not None
        read = []
        for found in self.process.stdout:
            read.append(found.rstrip())
            if read[-1] == line:
                return
        raise AssertionError(f"{line!r} is not in {read}")

    def leave(self) -> None:
        """Close the input, as Ctrl-D does."""
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0


@pytest.mark.once
def test_the_chat_example_in_two_terminals(tmp_path: Path) -> None:
    people = []
    try:
        for name in ("Ada", "Grace"):
            people.append(Terminal(name, tmp_path))
            people[-1].read_until(YOU_ARE_IN)  # so it is Ada who serves the room
        ada, grace = people
        grace.say("hello Ada")
        ada.read_until("Grace: hello Ada")
        ada.say("hello Grace")
        grace.read_until("Ada: hello Grace")
        ada.leave()
        grace.read_until("-- Ada has left")
        grace.read_until(YOU_ARE_IN)  # anew, at a node of her own
        joan = Terminal("Joan", tmp_path)
        people.append(joan)
        joan.read_until("Ada: hello Grace")  # one of the last words, which are kept
        joan.read_until(YOU_ARE_IN)
        grace.process.send_signal(signal.SIGSTOP)
        joan.say("anybody?")
        grace.process.kill()
        joan.read_until(YOU_ARE_IN)  # anew, whatever became of that line
        joan.leave()
    finally:
        for each in people:
            each.process.kill()
            each.process.communicate()

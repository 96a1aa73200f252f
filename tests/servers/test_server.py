"""What all servers have in common, with programs that start quicker than a database."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .process import Process, unprivileged_user
from .programs import find_program
from .server import Server, ServerError

ROOT = Path(__file__).parents[2]

# In Perl, which every Debian has: the interpreter of the tests may be where only root can reach it.
LISTEN = """
use IO::Socket::INET;
$SIG{{TERM}} = "{on_signal}";
$| = 1;
print "listens\\n";
sleep {delay};
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:{port}", Listen => 5, ReuseAddr => 1) or die $!;
while (1) {{ $server->accept->close }}
"""


class Listener(Server):
    """Accepts connections, and closes them."""

    on_signal = "DEFAULT"
    delay = 0

    def command(self) -> list[str]:
        values = {"on_signal": self.on_signal, "delay": self.delay, "port": self.port}
        return [find_program("perl", "perl"), "-e", LISTEN.format(**values)]

    def check(self) -> None:
        pass


def until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds; fail if it does not within thirty seconds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_is_ready_when_started_and_leaves_nothing_when_stopped() -> None:
    with Listener() as server:
        socket.create_connection((server.host, server.port), timeout=5).close()
        pid, folder = server.pid, server.folder
        assert "listens" in server.log()
        assert is_running(pid)
    assert not is_running(pid)
    assert not folder.exists()
    server.stop()


def test_a_restart_keeps_the_port_and_the_folder() -> None:
    with Listener() as server:
        before = server.pid, server.port, server.folder
        server.restart()
        assert server.pid != before[0]
        assert (server.port, server.folder) == before[1:]
        assert not is_running(before[0])


def test_it_is_run_by_an_unprivileged_user() -> None:
    with Listener() as server:
        user = unprivileged_user()
        wanted = os.geteuid() if user is None else user.pw_uid
        assert wanted != 0
        assert Path(f"/proc/{server.pid}").stat().st_uid == wanted
        assert server.folder.stat().st_uid == wanted
        assert server.write_file("secret", "x").stat().st_mode & 0o777 == 0o600


def test_a_server_that_ends_says_why() -> None:
    class Broken(Listener):
        def command(self) -> list[str]:
            return ["/bin/sh", "-c", "echo no such table >&2; exit 3"]

    server = Broken()
    with pytest.raises(ServerError, match="no such table"):
        server.start()
    assert not server.folder.exists()


def test_a_server_that_is_never_ready_says_so_and_is_stopped() -> None:
    class Late(Listener):
        delay = 3600
        ready_limit = 0.5

    with pytest.raises(ServerError, match=r"(?s)not ready after 0.5 s: ConnectionRefusedError.*listens"):
        Late().start()


def test_a_server_that_ignores_its_stop_signal_is_killed() -> None:
    class Deaf(Listener):
        on_signal = "IGNORE"
        stop_limit = 0.2

    with Deaf() as server:
        pid = server.pid
    assert not is_running(pid)


def test_a_program_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="No such file"):
        Process(["/no/such/program"], tmp_path)


def test_a_failed_preparation_shows_its_output() -> None:
    class Unprepared(Listener):
        def prepare(self) -> None:
            self.run("/bin/sh", "-c", "echo disk full; exit 1")

    with pytest.raises(ServerError, match=r"(?s)/bin/sh ended with 1:.*disk full"):
        Unprepared().start()


def test_a_preparation_that_hangs_is_ended() -> None:
    class Hanging(Listener):
        def prepare(self) -> None:
            self.run("/bin/sleep", "3600", limit=0.3)

    with pytest.raises(ServerError, match=r"has not ended after 0.3 s"):
        Hanging().start()


@pytest.mark.once
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_test_process_leaves_no_server_and_no_folder(number: signal.Signals) -> None:
    code = (
        "import os, time\n"
        "from tests.servers.test_server import Listener\n"
        "server = Listener()\n"
        "server.start()\n"
        "child = os.fork()\n"  # outlives the test process, and keeps what it has open
        "if child:\n"
        "    print(server.pid, server.folder, child, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid, folder, child = process.stdout.readline().split()
        try:
            assert is_running(int(pid))
            process.send_signal(number)
            until(lambda: not is_running(int(pid)) and not Path(folder).exists())
        finally:
            process.kill()
            os.kill(int(child), signal.SIGKILL)


@pytest.mark.parametrize("required", ["", "1"])
def test_a_missing_program_skips_the_test_or_fails_it(required: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing(Listener):
        def command(self) -> list[str]:
            return [find_program("nosuchserverd", "nosuchserver")]

    monkeypatch.setenv("FLOWTHINGS_REQUIRE_SERVERS", required)
    server = Missing()
    message = "nosuchserverd is not installed: apt-get install nosuchserver"
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception), match=message) as raised:
        server.start()
    assert raised.type is (pytest.fail.Exception if required else pytest.skip.Exception)
    assert not server.folder.exists()


def test_the_newest_version_of_a_program_is_found(tmp_path: Path) -> None:
    for version in ("9", "15", "10"):
        program = tmp_path / version / "bin" / "nosuchserverd"
        program.parent.mkdir(parents=True)
        program.touch(0o755)
    found = find_program("nosuchserverd", "nosuchserver", f"{tmp_path}/*/bin")
    assert found == str(tmp_path / "15" / "bin" / "nosuchserverd")

"""The genuine btrdb works with the store, unchanged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from flowthings_like.platform.embedded import open_platform

CLIENT = Path(__file__).with_name("genuine_client.py")


def test_btrdb(folder: Path) -> None:
    with open_platform(folder, "acme") as platform:
        host, port, key = platform.streams_address()
        script = [sys.executable, "-W", "ignore", str(CLIENT), host, str(port), key]
        done = subprocess.run(script, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1:] == ["done"]

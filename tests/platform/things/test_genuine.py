"""The original python-thingsdb works with the node, over TCP and over a WebSocket."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flowthings_like.platform.embedded import Platform

CLIENT = Path(__file__).with_name("genuine_client.py")
SAID = ["Hello World!", "Manual ThingsDB", "LookupError -54", "LookupError -54", "done"]


@pytest.mark.parametrize("scheme", ["", "ws://"])
def test_the_documents_examples(platform: Platform, scheme: str) -> None:
    host, port, user, password = platform.things_address()
    where = f"{scheme}{host}:{port}" if scheme else host
    script = [sys.executable, "-W", "ignore", str(CLIENT), where, str(port), user, password]
    done = subprocess.run(script, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == SAID

"""Serves the application of the tests with the example's eventlet server."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "webapp"))

import eventlet_server  # which patches

from tests.integrations.served_app import application

if __name__ == "__main__":
    eventlet_server.app = application
    sys.argv[1:] = ["0"]
    eventlet_server.main()

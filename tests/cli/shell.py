"""Runs the command line in a folder, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "flowthings_like"]


class Shell:
    """Runs commands in a folder that is the user's home, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWTHINGS_")}
        self.environment = {**kept, "HOME": str(folder)}

    def run(self, *arguments: object, input: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def succeed(self, *arguments: object, input: str | None = None) -> str:
        """Run it, and return what it prints. It prints nothing on stderr."""
        done = self.run(*arguments, input=input)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def fail(self, *arguments: object, status: int = 1, input: str | None = None) -> str:
        """Run it, and return what it says on stderr. It prints nothing."""
        done = self.run(*arguments, input=input)
        assert (done.returncode, done.stdout) == (status, "")
        assert "Traceback" not in done.stderr
        return done.stderr

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        command = [*COMMAND, *map(str, arguments)]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, text=True, **options)

"""Every command in docs/cli.md prints what the page says. `…` stands for what differs from day to day."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .shell import Shell

pytestmark = pytest.mark.once

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_page_says_what_is_printed(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "flowthings-like"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m flowthings_like \"$@\"\n")
    program.chmod(0o755)
    environment = {**shell.environment, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert blocks
    for each in "".join(blocks).removeprefix("$ ").split("\n$ "):
        command, _, promised = each.partition("\n")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), command
        pattern = re.escape(promised.strip("\n")).replace("…", ".*")
        assert re.fullmatch(pattern, done.stdout.strip("\n")), f"{command}\n{done.stdout}"

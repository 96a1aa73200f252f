"""`flowthings-like doctor`: finds mistakes in how a program patches for green threads, with their fixes.

The program is imported in this process. Only the command itself is imported before it, so that the doctor
sees what the program patches and imports, in the program's own order.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import Choice, Command

if TYPE_CHECKING:
    from ..green.findings import Finding

CLEAN, FOUND, USAGE = 0, 1, 2


@click.command("doctor", cls=Command)
@click.option("--import", "module", metavar="my.app", help="the program's module: imported, then looked at")
@click.option("--json", "as_json", is_flag=True, help="print a JSON array of findings")
@click.option(
    "--patch",
    type=Choice(["gevent", "eventlet"]),
    help="patch with this library first, as a server's worker would",
)
def cli_command(module: str | None, as_json: bool, patch: str | None) -> int:
    """Find mistakes in how a program patches for green threads, and say how to fix them.

    The exit status is 0 without findings, 1 with findings, 2 if the program could not be examined.
    """
    try:
        if patch:
            _patch(patch)
    except ImportError as error:
        print(
            f"flowthings-like: --patch {patch} needs {error.name}, which is not installed",
            file=sys.stderr,
        )
        return USAGE
    if module and not _import(module):
        return USAGE
    from ..diagnostics.report import doctor

    findings = doctor()
    if as_json:
        print(json.dumps([finding.to_dict() for finding in findings], indent=2))
    else:
        _print(findings, module)
    return FOUND if findings else CLEAN


def _patch(library: str) -> None:
    if library == "gevent":
        importlib.import_module("gevent.monkey").patch_all()
    else:
        importlib.import_module("eventlet").monkey_patch()


def _import(module: str) -> bool:
    """Import the program from the current folder, as `python -m` does. Its output goes to stderr."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            importlib.import_module(module)
    except Exception:
        traceback.print_exc()
    except SystemExit:
        print(f"flowthings-like: {module} left by SystemExit while it was imported", file=sys.stderr)
    else:
        return True
    print(f"flowthings-like: {module} could not be imported, so nothing was looked at", file=sys.stderr)
    return False


def _print(findings: Sequence[Finding], module: str | None) -> None:
    for finding in findings:
        print(finding, end="\n\n")
    where = (
        f"after importing {module}"
        if module
        else "in this command's own process; --import looks at a program"
    )
    count = f"{len(findings)} finding{'s' if len(findings) != 1 else ''}" if findings else "nothing found"
    print(f"{count}, {where}")

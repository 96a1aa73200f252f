"""`flowthings-like doctor`: finds mistakes in how a program patches for green threads, with their fixes.

The program is imported in this process. Only the command itself is imported before it, so that the doctor
sees what the program patches and imports, in the program's own order.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..green.findings import Finding

CLEAN, FOUND, USAGE = 0, 1, 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add = parser.add_argument
    add("--import", dest="module", metavar="my.app", help="the program's module: imported, then looked at")
    add("--json", action="store_true", help="print a JSON array of findings")
    add(
        "--patch",
        choices=("gevent", "eventlet"),
        help="patch with this library first, as a server's worker would",
    )


def run(arguments: argparse.Namespace) -> int:
    """Examine the process, and print the findings.

    Returns:
        0 without findings, 1 with findings, 2 if the program could not be examined.
    """
    try:
        if arguments.patch:
            _patch(arguments.patch)
    except ImportError as error:
        print(
            f"flowthings-like: --patch {arguments.patch} needs {error.name}, which is not installed",
            file=sys.stderr,
        )
        return USAGE
    if arguments.module and not _import(arguments.module):
        return USAGE
    from ..diagnostics.report import doctor

    findings = doctor()
    if arguments.json:
        print(json.dumps([finding.to_dict() for finding in findings], indent=2))
    else:
        _print(findings, arguments.module)
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

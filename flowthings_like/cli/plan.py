"""`flowthings-like plan`: the flows, tracks and tasks beneath a path as a file: pull, push, compare."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api import API
from ..errors import ConfigurationError, FlowThingsError, InvalidInput

if TYPE_CHECKING:
    from ..services.rest.plan import PlanResult

SAME, DIFFERENT, FAILED = 0, 1, 2
"""The exit statuses of `diff`, as those of the program diff."""

_LONGEST = 60  # characters of a value that are printed


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="pull|push|diff", required=True)

    pulling = actions.add_parser("pull", help="write a plan", description=_pull.__doc__)
    pulling.set_defaults(do=_pull)
    pulling.add_argument("path", metavar="PATH", help="such as /acme/weather")
    pulling.add_argument("--output", "-o", type=Path, metavar="FILE", help="the file to write (stdout)")

    pushing = actions.add_parser("push", help="make the platform as a plan says", description=_push.__doc__)
    pushing.set_defaults(do=_push)
    pushing.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")

    comparing = actions.add_parser("diff", help="compare a plan with the platform", description=_diff.__doc__)
    comparing.set_defaults(do=_diff)

    for each in (pushing, comparing):
        each.add_argument("file", type=Path, metavar="FILE", help="the plan; - for stdin")
        each.add_argument(
            "--delete", action="store_true", help="delete what the plan does not list, flows with their drops"
        )
    for each in (pulling, pushing, comparing):
        where = each.add_mutually_exclusive_group()
        where.add_argument("--data", metavar="DIR", type=Path, help="the folder of an embedded platform")
        where.add_argument("--profile", metavar="NAME", help="a profile in ~/.flowthings/credentials")
        each.add_argument(
            "--account", default="acme", metavar="NAME", help="the account in the folder (acme)"
        )


def run(arguments: argparse.Namespace) -> int:
    """Pull, push or compare.

    Returns:
        The exit status: 0 if it was done, 1 if not. For diff: 0 without differences, 1 with some, 2 if the
        comparison failed.
    """
    try:
        status: int = arguments.do(arguments)
        return status
    except (ConfigurationError, InvalidInput, FlowThingsError, OSError) as error:
        print(f"flowthings-like: {error}", file=sys.stderr)
        return FAILED if arguments.action == "diff" else 1


def _pull(arguments: argparse.Namespace) -> int:
    """Write the flows, tracks and tasks at and beneath a path as JSON."""
    with _opened(arguments) as api:
        plan = api.plan.pull(arguments.path)
    text = json.dumps(plan, indent=2, ensure_ascii=False) + "\n"
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        arguments.output.write_text(text, encoding="utf-8")
    return 0


def _push(arguments: argparse.Namespace) -> int:
    """Create and change flows, tracks and tasks as a plan says, all of it or nothing."""
    plan = _read(arguments.file)
    with _opened(arguments) as api:
        result = api.plan.push(plan, dry_run=arguments.dry_run, delete=arguments.delete)
    _print(result)
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    """Say what a push would do. The exit status is 1 if it would do anything."""
    plan = _read(arguments.file)
    with _opened(arguments) as api:
        result = api.plan.push(plan, dry_run=True, delete=arguments.delete)
    _print(result)
    return DIFFERENT if result["created"] or result["changed"] or result["deleted"] else SAME


@contextmanager
def _opened(arguments: argparse.Namespace) -> Iterator[API]:
    if arguments.data is None:
        opened = API.connect(arguments.profile)
    elif arguments.data.is_dir():
        opened = API.embedded(arguments.data, account=arguments.account)
    else:
        raise ConfigurationError(f"there is no folder {str(arguments.data)!r}")
    with opened as api:
        yield api


def _read(file: Path) -> dict[str, Any]:
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    try:
        plan = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{file} is no plan: {error}") from None
    if not isinstance(plan, dict):
        raise InvalidInput(
            f"{file} is no plan: it must hold a JSON object with path, flows, tracks and tasks"
        )
    return plan


def _print(result: PlanResult) -> None:
    for name in result["created"]:
        print(f"+ {name}")
    for change in result["changed"]:
        print(f"~ {change['name']}")
        for member, (old, new) in change["members"].items():
            print(f"    {member}: {_shown(old)} -> {_shown(new)}")
    for name in result["deleted"]:
        print(f"- {name}")
    print(f"unchanged: {result['unchanged']}")


def _shown(value: Any) -> str:
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

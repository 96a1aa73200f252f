"""`flowthings-like plan`: the flows, tracks and tasks beneath a path as a file: pull, push, compare."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidInput
from .command import Group
from .data_command import DataCommand
from .place import Place, place_options

if TYPE_CHECKING:
    from ..services.rest.plan import PlanResult

SAME, DIFFERENT, FAILED = 0, 1, 2
"""The exit statuses of `diff`, as those of the program diff."""

_LONGEST = 60  # characters of a value that are printed


class _Diff(DataCommand):
    failure_status = FAILED


_delete_option = click.option(
    "--delete", is_flag=True, help="delete what the plan does not list, flows with their drops"
)
_FILE = click.Path(path_type=Path)


@click.group("plan", cls=Group, subcommand_metavar="pull|push|diff [OPTIONS]")
def cli_command() -> None:
    """Pull, push and compare the flows, tracks and tasks beneath a path, as one file."""


@cli_command.command("pull", cls=DataCommand, short_help="write a plan")
@click.argument("path", metavar="PATH")
@click.option("--output", "-o", type=_FILE, metavar="FILE", help="the file to write (stdout)")
@place_options
def _pull(path: str, output: Path | None, data: Path | None, profile: str | None, account: str) -> None:
    """Write the flows, tracks and tasks at and beneath a path, such as /acme/weather, as JSON."""
    with Place(data, profile, account).opened() as api:
        plan = api.plan.pull(path)
    text = json.dumps(plan, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


@cli_command.command("push", cls=DataCommand, short_help="make the platform as a plan says")
@click.argument("file", type=_FILE, metavar="FILE")
@click.option("--dry-run", is_flag=True, help="say what would be done, and do nothing")
@_delete_option
@place_options
def _push(
    file: Path, dry_run: bool, delete: bool, data: Path | None, profile: str | None, account: str
) -> None:
    """Create and change flows, tracks and tasks as a plan says, all of it or nothing. FILE - is stdin."""
    plan = _read(file)
    with Place(data, profile, account).opened() as api:
        result = api.plan.push(plan, dry_run=dry_run, delete=delete)
    _print(result)


@cli_command.command("diff", cls=_Diff, short_help="compare a plan with the platform")
@click.argument("file", type=_FILE, metavar="FILE")
@_delete_option
@place_options
def _diff(file: Path, delete: bool, data: Path | None, profile: str | None, account: str) -> int:
    """Say what a push would do. FILE - is stdin.

    The exit status is 0 without differences, 1 with some, 2 if the comparison failed.
    """
    plan = _read(file)
    with Place(data, profile, account).opened() as api:
        result = api.plan.push(plan, dry_run=True, delete=delete)
    _print(result)
    return DIFFERENT if result["created"] or result["changed"] or result["deleted"] else SAME


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

"""`flowthings-like load`: takes rows from a file, a query or a flow to flows, streams, records or a table."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidInput
from ..jobs import load
from ..jobs.spec import LoadSpec, parse_types_of
from .command import Choice
from .data_command import DataCommand
from .database_option import database_option
from .drops.text import print_line, to_json
from .place import Place, json_option, place_options

if TYPE_CHECKING:
    from ..jobs.progress import Progress, Report

__all__ = ["cli_command"]

SOME_REFUSED = 3
"""The exit status if rows were refused, and the others are loaded."""


@click.command("load", cls=DataCommand)
@click.argument("source", metavar="SOURCE")
@click.option(
    "--into",
    required=True,
    metavar="TARGET",
    help="/PATH of a flow, streams:COLLECTION, records:FORMAT or table:NAME; {column} stands for a value",
)
@click.option("--format", type=Choice(["csv", "ndjson", "parquet"]), help="of the file; by its name")
@click.option("--delimiter", default=",", metavar="C", help="between the cells of CSV (,)")
@click.option("--type", "types", multiple=True, metavar="NAME=TYPE", help="of a column; may be repeated")
@click.option("--na", multiple=True, metavar="TEXT", help="a cell that is no value; may be repeated")
@click.option("--time", metavar="NAME", help="the column with the time")
@click.option("--time-unit", type=Choice(["s", "ms", "us", "ns"]), help="of times that are numbers")
@click.option("--key", multiple=True, metavar="NAME", help="a column that names a row; may be repeated")
@click.option("--create", is_flag=True, help="create flows, streams and the folder that are missing")
@click.option("--capacity", type=click.IntRange(min=1), metavar="N", help="of created flows: drops they keep")
@click.option(
    "--value", "values", multiple=True, metavar="NAME", help="a column with values; may be repeated"
)
@click.option(
    "--merge", type=Choice(["equal", "replace", "retain", "never"]), default="equal", help="points (equal)"
)
@click.option("--cid", default="0", metavar="N|NAME", help="of records: a number or a column (0)")
@click.option("--mid", default="0", metavar="N|NAME", help="of records: a number or a column (0)")
@click.option("--moid", default="0", metavar="N|NAME", help="of records: a number or a column (0)")
@click.option("--filter", metavar="FILTER", help="which rows to load, such as 'temp > 90'")
@click.option("--transform", metavar="MODULE:NAME", help="a function that makes another row of each")
@click.option(
    "--batch", type=click.IntRange(min=1), metavar="N", help="rows of one call (1000, points 50000)"
)
@click.option("--parallel", type=click.IntRange(min=1), default=4, metavar="N", help="calls at once (4)")
@click.option("--calls-per-second", type=float, metavar="N", help="calls that begin in a second (no limit)")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="how far the load is",
)
@click.option(
    "--rejects",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="the rows that were refused (SOURCE.rejects.ndjson)",
)
@click.option(
    "--max-rejects", type=click.IntRange(min=0), default=1000, metavar="N", help="most of them (1000)"
)
@database_option
@json_option
@place_options
def cli_command(
    types: tuple[str, ...],
    checkpoint: Path | None,
    rejects: Path | None,
    as_json: bool,
    db: str | None,
    data: Path | None,
    profile: str | None,
    account: str,
    **given: Any,
) -> int:
    """Load the rows of SOURCE: a file (CSV, NDJSON, Parquet; .gz, .zst), -, flow:/PATH or query:SQL.

    With --checkpoint, the same command goes on where it stopped, also after a crash: no row is lost, and none
    is stored twice. Rows that are refused are written to a file, and the exit status is 3.
    """
    try:
        spec = LoadSpec(types=parse_types_of(types), **given)
        options = spec.options()
    except InvalidInput as error:
        raise click.UsageError(str(error)) from None
    rejects = _default_rejects(spec.source) if rejects is None else rejects
    with Place(data, profile, account, given["create"]).opened(db=db) as api, _Line() as line:
        source, sink = spec.open_source(api), spec.open_sink(api)
        try:
            report = load(
                source,
                sink,
                **{name: getattr(options, name) for name in vars(options)},
                checkpoint=checkpoint,
                rejects=rejects,
                on_progress=line.show if sys.stderr.isatty() else None,
            )
        except KeyboardInterrupt:
            line.end()
            if checkpoint is not None:
                print("flowthings-like: stopped; the same command goes on here", file=sys.stderr)
            raise
    print_line(to_json(asdict(report)) if as_json else _summary(report, sink.noun))
    if report.refused:
        print(f"flowthings-like: rows refused: {report.refused:,}; see {rejects}", file=sys.stderr)
        return SOME_REFUSED
    return 0


def _default_rejects(source: str) -> Path:
    kind, colon, _ = source.partition(":")
    name = kind if colon or source == "-" else Path(source).name
    return Path(f"{'stdin' if name == '-' else name}.rejects.ndjson")


def _summary(report: Report, noun: str) -> str:
    left_out = f", left out: {report.left_out:,}" if report.left_out else ""
    again = f", {report.rows_now:,} of them now" if report.rows_now < report.rows else ""
    return f"rows read: {report.rows:,}{again}; {noun} stored: {report.stored:,}{left_out}"


class _Line:
    """The line on the terminal that says how far a load is."""

    def __init__(self) -> None:
        self._is_shown = False

    def show(self, progress: Progress) -> None:
        """Show the progress."""
        done = "" if progress.fraction is None else f", {progress.fraction:.0%}"
        left = "" if not progress.seconds_left else f", {_duration(progress.seconds_left)} left"
        refused = f", {progress.refused:,} refused" if progress.refused else ""
        line = f"\rloaded {progress.rows:,} rows, {progress.rate:,.0f} a second{done}{left}{refused}\x1b[K"
        print(line, end="", file=sys.stderr, flush=True)
        self._is_shown = True

    def __enter__(self) -> _Line:
        return self

    def end(self) -> None:
        """End the line, if there is one."""
        if self._is_shown:
            self._is_shown = False
            print(file=sys.stderr)

    def __exit__(self, *_: object) -> None:
        self.end()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

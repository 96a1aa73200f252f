"""`flowthings-like plot`: draws a stream as a band from least to greatest values, and a line of means."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .command import Command, at_most_one

if TYPE_CHECKING:
    from ..services.streams.client import Client
    from ..services.streams.points import StatPoints
    from ..services.streams.stream import Stream

INSTALL = "pip install 'flowthings_like[demo]'"
DPI = 100


_PIXELS = click.IntRange(100, 20_000)


@click.command("plot", cls=Command)
@click.argument("stream", metavar="UUID|COLLECTION/NAME")
@click.option("--data", metavar="DIR", help="the folder of an embedded platform that holds it")
@click.option("--endpoint", metavar="HOST:PORT", help="a BTrDB server; its key is BTRDB_API_KEY")
@click.option("--profile", metavar="NAME", help="a profile in ~/.predictivegrid/credentials.yaml")
@click.option("--account", default="acme", metavar="NAME", help="the account in the folder (acme)")
@click.option("--start", metavar="TIME", help="ISO 8601 or nanoseconds; the first point unless given")
@click.option(
    "--end", metavar="TIME", help="ISO 8601 or nanoseconds, exclusive; after the last point unless given"
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="PNG",
    help="the file to write; named after the stream unless given",
)
@click.option("--width", type=_PIXELS, default=1200, metavar="N", help="width in pixels (1200)")
@click.option("--height", type=_PIXELS, default=400, metavar="N", help="height in pixels (400)")
@click.option("--json", "as_json", is_flag=True, help="print the windows as JSON in place of drawing them")
def cli_command(**options: Any) -> int:
    """Draw a stream of points to a PNG file: a band from least to greatest values, and a line of means."""
    from ..errors import FlowThingsError

    arguments = _Arguments(**options)
    at_most_one(data=arguments.data, endpoint=arguments.endpoint, profile=arguments.profile)
    try:
        return _run(arguments)
    except FlowThingsError as error:
        print(f"flowthings-like: {error}", file=sys.stderr)
        return 1


@dataclass(frozen=True, slots=True)
class _Arguments:
    stream: str
    data: str | None
    endpoint: str | None
    profile: str | None
    account: str
    start: str | None
    end: str | None
    output: Path | None
    width: int
    height: int
    as_json: bool


def _run(arguments: _Arguments) -> int:
    if arguments.data is None:
        from ..services.streams.client import connect

        with connect(endpoint=arguments.endpoint, profile=arguments.profile) as client:
            return _show(client, arguments)
    from ..api import API
    from .place import check_folder

    check_folder(Path(arguments.data))

    with API.embedded(arguments.data, account=arguments.account) as api:
        return _show(api.stream, arguments)


def _show(client: Client, arguments: _Arguments) -> int:
    from ..services.streams.times import MAXIMUM_TIME, to_nanoseconds

    stream = client.streams(arguments.stream)[0]
    first, last = stream.earliest(), stream.latest()
    if first is None or last is None:
        print(f"flowthings-like: {arguments.stream} has no points", file=sys.stderr)
        return 1
    start = first[0].time if arguments.start is None else to_nanoseconds(arguments.start)
    end = last[0].time + 1 if arguments.end is None else to_nanoseconds(arguments.end)
    # The widest windows of which there are at least as many as pixels.
    pointwidth = max(0, ((end - start) // arguments.width).bit_length() - 1)
    end = min(end + (1 << pointwidth) - 1, MAXIMUM_TIME)  # the last window is whole, too
    windows = stream.aligned_windows(start, end, pointwidth)
    if arguments.as_json:
        print(json.dumps(_columns(windows)))
        return 0
    output = arguments.output or Path(f"{stream.name or stream.uuid}.png")
    try:
        _draw(stream, windows, output, arguments.width, arguments.height)
    except ModuleNotFoundError as error:
        print(f"flowthings-like: drawing needs {error.name}: {INSTALL}", file=sys.stderr)
        return 1
    points = int(windows.counts.sum())
    print(f"{output}: {points:,} points in {len(windows):,} windows of 2**{pointwidth} ns")
    return 0


def _columns(windows: StatPoints) -> dict[str, Any]:
    return {
        "time": windows.times.tolist(),
        "min": windows.mins.tolist(),
        "mean": windows.means.tolist(),
        "max": windows.maxes.tolist(),
        "count": windows.counts.tolist(),
        "stddev": windows.stddevs.tolist(),
    }


def _draw(stream: Stream, windows: StatPoints, output: Path, width: int, height: int) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    times = windows.times.astype("datetime64[ns]")
    figure, axes = pyplot.subplots(figsize=(width / DPI, height / DPI), dpi=DPI, layout="constrained")
    low, high = windows.mins, windows.maxes
    axes.fill_between(times, low, high, color="#9ecae1", linewidth=0, label="least to greatest")
    axes.plot(times, windows.means, color="#08519c", linewidth=1, label="mean")
    axes.set_title(f"{stream.collection}/{stream.name}")
    axes.set_ylabel(stream.unit or "")
    axes.legend(loc="upper right", frameon=False)
    axes.margins(x=0)
    figure.savefig(output)
    pyplot.close(figure)

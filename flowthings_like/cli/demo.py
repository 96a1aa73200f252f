"""`flowthings-like demo`: runs examples/weather.py in a new interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from .command import Command

EXAMPLE = "weather.py"


@click.command("demo", cls=Command)
@click.option("--folder", default="weather-data", show_default=True, help="where the platform keeps its data")
@click.option("--picture", default="weather.png", show_default=True, help="the picture it draws")
def cli_command(folder: str, picture: str) -> int:
    """Load a year of real weather, search it and draw it."""
    example = find_example()
    if example is None:
        print(
            f"{EXAMPLE} was not installed with this package; it is in the source, under examples/.",
            file=sys.stderr,
        )
        return 1
    return subprocess.call([sys.executable, str(example), "--folder", folder, "--picture", picture])


def find_example() -> Path | None:
    """The path of the example: in the checkout, or under share/ where pip has installed it."""
    checkout = Path(__file__).parents[2] / "examples"
    installed = Path(sys.prefix) / "share" / "flowthings_like" / "examples"
    return next((folder / EXAMPLE for folder in (checkout, installed) if (folder / EXAMPLE).exists()), None)

"""`flowthings-like demo`: runs examples/weather.py in a new interpreter."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

EXAMPLE = "weather.py"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder", default="weather-data", help="where the platform keeps its data (default: %(default)s)"
    )
    parser.add_argument(
        "--picture", default="weather.png", help="the picture it draws (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    example = find_example()
    if example is None:
        print(
            f"{EXAMPLE} was not installed with this package; it is in the source, under examples/.",
            file=sys.stderr,
        )
        return 1
    return subprocess.call(
        [sys.executable, str(example), "--folder", arguments.folder, "--picture", arguments.picture]
    )


def find_example() -> Path | None:
    """The path of the example: in the checkout, or under share/ where pip has installed it."""
    checkout = Path(__file__).parents[2] / "examples"
    installed = Path(sys.prefix) / "share" / "flowthings_like" / "examples"
    return next((folder / EXAMPLE for folder in (checkout, installed) if (folder / EXAMPLE).exists()), None)

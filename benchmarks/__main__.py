"""Run benchmarks and print a table of each: every contender in a process of its own, in turn, several times.

    python -m benchmarks [--runs N] [--json] [name …]

A benchmark is a module here with
    TITLE        what is measured
    UNIT         what the figures count, for example "drops/s"
    PEER         the contender the others are compared with
    CONTENDERS   name -> function(folder) -> figure; a name that ends in "gevent" or "eventlet" runs patched

The ratio is the figure over the peer's, the median of the pairs of runs, because a shared machine drifts.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import statistics
import subprocess
import sys
import tempfile

import benchmarks

CONTENDER = """
import sys
name = sys.argv[2]
if name.endswith("gevent"):
    from gevent import monkey
    monkey.patch_all()
elif name.endswith("eventlet"):
    import warnings
    warnings.simplefilter("ignore")
    import eventlet
    eventlet.monkey_patch()
import importlib
from pathlib import Path
benchmark = importlib.import_module("benchmarks." + sys.argv[1])
print(benchmark.CONTENDERS[name](Path(sys.argv[3])))
"""


def measure(benchmark: str, contender: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", CONTENDER, benchmark, contender, folder]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def compare(benchmark: str, runs: int) -> dict[str, dict[str, float]]:
    module = importlib.import_module(f"benchmarks.{benchmark}")
    figures: dict[str, list[float]] = {name: [] for name in module.CONTENDERS}
    for _ in range(runs):
        for name, values in figures.items():
            values.append(measure(benchmark, name))
    peer = figures[module.PEER]
    return {
        name: {
            "median": statistics.median(values),
            "min": min(values),
            "max": max(values),
            "ratio": statistics.median(value / other for value, other in zip(values, peer, strict=True)),
        }
        for name, values in figures.items()
    }


def main() -> None:
    names = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_")]
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="name", help=f"which: {', '.join(names)} (default: all)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error(f"no benchmark called {', '.join(sorted(unknown))}; there are {', '.join(names)}")

    results = {}
    for name in arguments.names or names:
        results[name] = compare(name, arguments.runs)
        if not arguments.json:
            module = importlib.import_module(f"benchmarks.{name}")
            print(f"\n{module.TITLE} ({module.UNIT}, median of {arguments.runs}; ratio to {module.PEER})")
            for contender, row in results[name].items():
                spread = f"{row['min']:,.0f} to {row['max']:,.0f}"
                print(f"  {contender:32} {row['median']:>12,.0f}  {spread:>22}  {row['ratio']:6.2f}")
    if arguments.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()

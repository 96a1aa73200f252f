"""Run benchmarks and print a table of each: every contender in a process of its own, in turn, several times.

    python -m benchmarks [--runs N] [--only TEXT] [--json] [name …]

A benchmark is a module here with
    TITLE        what is measured
    UNIT         what the figures count, for example "drops/s"
    PEER         the contender the others are compared with
    CONTENDERS   name -> function(folder) -> figure; a name that ends in "gevent" or "eventlet" runs patched
and perhaps
    SERVER       function(folder) -> context manager that runs a server for a run of every contender and gives
                 its address, which they find in the environment as BENCHMARK_SERVER; they have the first
                 core to themselves then
    TARGETS      a list of Target: which ratio is to be reached

The ratio is the figure over the peer's, the median of the pairs of runs, because a shared machine drifts.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

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
import importlib, os
from pathlib import Path
if os.environ.get("BENCHMARK_SERVER"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
benchmark = importlib.import_module("benchmarks." + sys.argv[1])
print(benchmark.CONTENDERS[name](Path(sys.argv[3])))
"""


def measure(benchmark: str, contender: str, server: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", CONTENDER, benchmark, contender, folder]
        environment = {**os.environ, "BENCHMARK_SERVER": server}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise SystemExit(f"{benchmark}, {contender}: {done.stderr}")
        return float(done.stdout.split()[-1])


def compare(benchmark: str, runs: int, only: str = "") -> dict[str, list[float]]:
    """The figures of all runs, by contender."""
    module = importlib.import_module(f"benchmarks.{benchmark}")
    figures: dict[str, list[float]] = {name: [] for name in module.CONTENDERS if only in name}
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            serving = module.SERVER(Path(folder)) if hasattr(module, "SERVER") else nullcontext("")
            with serving as server:
                for name, values in figures.items():
                    values.append(measure(benchmark, name, server))
    return figures


def ratio(values: list[float], others: list[float]) -> float:
    return statistics.median(value / other for value, other in zip(values, others, strict=True))


def summary(module: ModuleType, figures: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    peer = figures.get(module.PEER)
    return {
        name: {
            "median": statistics.median(values),
            "min": min(values),
            "max": max(values),
            "ratio": ratio(values, peer) if peer else float("nan"),
        }
        for name, values in figures.items()
    }


def reached(module: ModuleType, figures: dict[str, list[float]]) -> list[str]:
    """A line for each target: what it is, and what came out."""
    lines = []
    for target in getattr(module, "TARGETS", ()):
        if target.contender not in figures or (target.peer and target.peer not in figures):
            continue
        mine = figures[target.contender]
        found = ratio(mine, figures[target.peer]) if target.peer else statistics.median(mine)
        verdict = "reached" if target.is_reached(found) else "MISSED"
        said = f"{found:.3f} of {target.peer}" if target.peer else f"{found:,.0f} {module.UNIT}"
        lines.append(f"{verdict:8} {target.contender}: {said}; to be {target.wanted}")
    return lines


def main() -> None:
    names = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_")]
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="name", help=f"which: {', '.join(names)} (default: all)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", metavar="TEXT", help="contenders with this in their name")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error(f"no benchmark called {', '.join(sorted(unknown))}; there are {', '.join(names)}")

    results = {}
    for name in arguments.names or names:
        module = importlib.import_module(f"benchmarks.{name}")
        figures = compare(name, arguments.runs, arguments.only)
        results[name] = summary(module, figures)
        if not arguments.json:
            print(f"\n{module.TITLE} ({module.UNIT}, median of {arguments.runs}; ratio to {module.PEER})")
            for contender, row in results[name].items():
                spread = f"{row['min']:,.0f} to {row['max']:,.0f}"
                print(f"  {contender:32} {row['median']:>12,.0f}  {spread:>22}  {row['ratio']:6.2f}")
            for line in reached(module, figures):
                print(f"  {line}", flush=True)
    if arguments.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()

"""The memory that a load takes: ten million rows must not take more than one million."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._jobs import peak, points_parquet
from benchmarks._streams import embedded, ours

TITLE = "loads: peak memory of a process that loads rows"
UNIT = "MB"
PEER = "1,000,000 rows of Parquet into a stream"
SERVER = embedded


def of_parquet(count: int) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        from flowthings_like import jobs

        path = folder / "in.parquet"
        _apart(points_parquet, path, count)
        sink = jobs.StreamsSink(ours(), f"bench/{folder.name}", time="time", values=["value"], create=True)
        assert jobs.load(path, sink, checkpoint=folder / "checkpoint").stored == count
        return peak() / 1e6

    return measure


def of_csv(count: int) -> Callable[[Path], float]:
    """The rows come to a sink that throws them away: the load itself is what is measured."""

    def measure(folder: Path) -> float:
        from flowthings_like import API, jobs

        path = folder / "in.csv"
        with path.open("w") as file:
            file.write("n,place,value\n")
            file.writelines(f"{n},EWR,{n / 4}\n" for n in range(count))
        with API.embedded(folder / "data") as api:
            sink = _Nowhere(api, "/acme/a", create=True, capacity=1)
            assert jobs.load(path, sink, checkpoint=folder / "checkpoint").rows == count
        return peak() / 1e6

    class _Nowhere(_sink_class()):  # type: ignore[misc]
        def _send(self, path: str, models: Any, numbers: Any) -> int:
            return len(models)

    return measure


def _sink_class() -> Any:
    from flowthings_like.jobs import FlowsSink

    return FlowsSink


def _apart(function: Callable[..., None], *arguments: Any) -> None:
    """Call a function in a process of its own, whose memory does not count."""
    import multiprocessing

    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0


CONTENDERS = {
    PEER: of_parquet(1_000_000),
    "10,000,000 rows of Parquet into a stream": of_parquet(10_000_000),
    "1,000,000 rows of CSV to nowhere": of_csv(1_000_000),
    "10,000,000 rows of CSV to nowhere": of_csv(10_000_000),
}
TARGETS = [
    Target("10,000,000 rows of Parquet into a stream", PEER, at_most=1.1),
    Target("10,000,000 rows of CSV to nowhere", "1,000,000 rows of CSV to nowhere", at_most=1.1),
]

"""Files that loads are measured with, and how much memory a process has held."""

from __future__ import annotations

import gzip
from pathlib import Path

from benchmarks._streams import points
from benchmarks._weather import DATA


def weather_csv(path: Path, times: int) -> int:
    """Write the real weather as CSV, several times over. Returns how many rows that are."""
    with gzip.open(DATA, "rt") as file:
        names, *rows = file
    with path.open("w") as written:
        written.write(names)
        for _ in range(times):
            written.writelines(rows)
    return len(rows) * times


def points_parquet(path: Path, count: int) -> None:
    """Write points as Parquet, with the columns time (a timestamp) and value."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([("time", pa.timestamp("ns", tz="UTC")), ("value", pa.float64())])
    with parquet.ParquetWriter(path, schema) as writer:
        for first in range(0, count, 1_000_000):
            times, values = points(min(1_000_000, count - first), first)
            columns = [pa.array(times, pa.int64()).cast(schema.field(0).type), pa.array(values)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def peak() -> int:
    """The most bytes that this process has held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not say how much memory a process has held")

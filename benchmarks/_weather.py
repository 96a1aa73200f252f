"""The rows the benchmarks write: real weather, as drops and as rows for a plain SQLite table."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "examples" / "data" / "weather.csv.gz"
ELEMENTS = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")


def drops() -> list[dict[str, Any]]:
    """All 26,115 observations as drop models, sorted by time."""
    with gzip.open(DATA, "rt") as file:
        rows = list(csv.DictReader(file))
    models = [
        {
            "elems": {"airport": row["origin"], **{n: float(row[n]) for n in ELEMENTS if row[n] != "NA"}},
            "creationDate": int(
                datetime.fromisoformat(row["time_hour"].replace("Z", "+00:00")).timestamp() * 1000
            ),
            "fhash": f"{row['origin']} {row['time_hour']}",
        }
        for row in rows
    ]
    return sorted(models, key=lambda model: model["creationDate"])


def plain_table(folder: Path) -> sqlite3.Connection:
    """A table with the same content and the same durability as the platform's: WAL, synchronous=FULL."""
    connection = sqlite3.connect(folder / "plain.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE drops (flow TEXT, id TEXT, created INTEGER, fhash TEXT, elems TEXT, "
        "PRIMARY KEY (flow, id)) WITHOUT ROWID"
    )
    connection.execute("CREATE UNIQUE INDEX one_drop_a_hash ON drops (flow, fhash)")
    return connection


def as_row(number: int, model: dict[str, Any]) -> tuple[str, str, int, str, str]:
    return "f1", f"d{number:024x}", model["creationDate"], model["fhash"], json.dumps(model["elems"])

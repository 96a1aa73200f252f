"""The client's CPU for a look-up by key in an SQLite file, 10,000 lazy calls at once."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks._database import USERS, Spent
from benchmarks.database_lookups import CONTENDERS as LOOKING_UP

TITLE = "client CPU of a look-up by key, 10,000 at once, SQLite"
UNIT = "us a look-up"
PEER = "Twisted's adbapi"


def cpu(work: partial[Spent], folder: Path) -> float:
    return work.args[0](folder).cpu / USERS * 1e6


CONTENDERS = {name: partial(cpu, work) for name, work in LOOKING_UP.items()}

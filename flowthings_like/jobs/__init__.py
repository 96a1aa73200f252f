"""Loads: rows of files, SQL queries and flows become drops, points, records and rows of tables.

from flowthings_like import API, jobs

with API.embedded("data") as api:
    flows = jobs.FlowsSink(api, "/acme/weather/{origin}", time="time_hour", create=True, capacity=100_000)
    print(jobs.load("weather.csv.gz", flows, na=["NA"], checkpoint="weather.checkpoint").stored)
"""

from __future__ import annotations

from .column_types import ColumnType
from .errors import LoadStopped, TooManyRefusals
from .load import load
from .progress import Progress, Report
from .rate_limit import RateLimit
from .sinks.base import Sink
from .sinks.flows import FlowsSink
from .sinks.records import RecordsSink
from .sinks.sql import SQLSink
from .sinks.streams import StreamsSink
from .sources.base import Source
from .sources.file import FileSource
from .sources.flow import FlowSource
from .sources.query import QuerySource

__all__ = [
    "ColumnType",
    "FileSource",
    "FlowSource",
    "FlowsSink",
    "LoadStopped",
    "Progress",
    "QuerySource",
    "RateLimit",
    "RecordsSink",
    "Report",
    "SQLSink",
    "Sink",
    "Source",
    "StreamsSink",
    "TooManyRefusals",
    "load",
]

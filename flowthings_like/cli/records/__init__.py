"""`flowthings-like records`: gets, puts and follows binary records, as CSV, NDJSON or Parquet."""

from .command import configure, run

__all__ = ["configure", "run"]

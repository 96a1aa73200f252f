"""`flowthings-like records`: gets, puts and follows binary records, as CSV, NDJSON or Parquet."""

from .command import cli_command

__all__ = ["cli_command"]

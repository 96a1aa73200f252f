"""What client and platform agree on beyond HTTP: names of headers, levels of statistics, limits."""

from __future__ import annotations

__all__ = ["AUTH_ACCOUNT", "AUTH_TOKEN", "IDEMPOTENCY_KEY", "LARGEST_LIMIT", "LEVELS"]

AUTH_TOKEN = "X-Auth-Token"
"""The header that holds the caller's token."""

AUTH_ACCOUNT = "X-Auth-Account"
"""The header that repeats the account of the path."""

IDEMPOTENCY_KEY = "Idempotency-Key"
"""The header that names a write, so that sending it again does not do it again."""

LARGEST_LIMIT = 100_000
"""Most documents in one answer."""

LEVELS = ("YEAR", "MONTH", "DAY", "HOUR")
"""What one count of a statistic may be for, the coarsest first."""

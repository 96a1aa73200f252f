"""The limits of one query. Everything else in the process waits while it runs.

A query that exceeds a limit raises MaxQuotaError, or a more specific error where there is one.
"""

from __future__ import annotations

MAX_CODE = 64 << 10
"""Characters of code. Larger data belongs in the query's variables."""

MAX_NESTING = 60
"""Levels of nested brackets, operators and calls."""

MAX_STEPS = 1_000_000
"""Steps of a query. Each iteration of a loop, each call of a closure or function and each item of a new list
is a step. In a long text, every 256 characters are a step."""

MAX_SECONDS = 10.0
"""Seconds that a query may take. Steps alone do not bound it: one may search a list of a million items."""

MAX_CALLS = 50
"""Nested calls of closures."""

MAX_LISTS = 50
"""Levels of nested lists."""

MAX_TEXT = 16 << 20
"""Characters of a text that code builds."""

MAX_DEPTH = 127
"""Levels of things that a result may show."""

MAX_VALUES = 1_000_000
"""Values in a result. Without a limit, things that refer to each other could unfold without end."""

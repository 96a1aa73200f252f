"""What one query may cost. All else in the process waits while it runs, so nothing here is endless.

A query that goes beyond raises MaxQuotaError, or the error that says more where there is one.
"""

from __future__ import annotations

MAX_CODE = 64 << 10
"""Characters of code. Larger data belong into the query's variables."""

MAX_NESTING = 60
"""Levels of brackets, operators and calls within each other."""

MAX_STEPS = 1_000_000
"""Each pass of a loop, each call of a closure or function and each item of a list that is made is a step; of
a long text, each 256 characters are one."""

MAX_SECONDS = 10.0
"""How long it may take; for steps are not all alike: one may look through a list of a million items."""

MAX_CALLS = 50
"""Closures that may be under way within each other."""

MAX_LISTS = 50
"""Lists that may be within each other."""

MAX_TEXT = 16 << 20
"""Characters that code may put together into one text."""

MAX_DEPTH = 127
"""Levels of things that a result may show."""

MAX_VALUES = 1_000_000
"""Values that a result may be made of: things that refer to each other could unfold without end."""

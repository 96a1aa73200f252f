"""Filters: one immutable tree, written with Python operators or as text, run as a Python function or as SQL.

`build` makes the tree from `mem`, `AGE`, `EXISTS`, `HAS`, `MATCHES`, `NOT`. `text` writes and parses the
platform's filter language. `predicate.compile_predicate` turns a filter into a Python function, and
`sql.to_sql` into a SQL condition; only code that runs filters imports these two.
"""

from .build import AGE, EXISTS, HAS, MATCHES, NOT, mem
from .nodes import Filter, Typed
from .text import parse, render

__all__ = ["AGE", "EXISTS", "HAS", "MATCHES", "NOT", "Filter", "Typed", "mem", "parse", "render"]

"""The version, and where the sources and their documentation are published.

Nothing is imported here, because setup.py runs this file before the package is installed.
"""

__all__ = ["DOCS", "REPOSITORY", "VERSION"]

VERSION = "0.1.0"

REPOSITORY = "https://flowthings-like.example.org/flowthings_like"
"""Where the sources are published. A reserved name, until they are: change it here and nowhere else."""

DOCS = f"{REPOSITORY}/blob/main/docs"
"""Where a page of docs/ is read."""

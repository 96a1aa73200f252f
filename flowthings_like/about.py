"""The version, and where the sources and their documentation are published.

Nothing is imported here, because setup.py runs this file before the package is installed.
"""

__all__ = ["DOCS", "REPOSITORY", "VERSION"]

VERSION = "0.1.0"

REPOSITORY = "https://flowthings-like.example.org/flowthings_like"
"""The address of the sources. This is a reserved name until they are published; it stands nowhere else."""

DOCS = f"{REPOSITORY}/blob/main/docs"
"""The address of the pages in docs/."""

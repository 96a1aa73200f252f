"""The tokens that clients log in with instead of a name and a password."""

from __future__ import annotations

__all__ = ["TOKEN_LENGTH"]

TOKEN_LENGTH = 22
"""Characters of a token. They hold 131 bits."""

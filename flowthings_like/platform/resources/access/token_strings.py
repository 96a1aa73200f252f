"""The strings of tokens: how they are made, and how they are stored.

A string is shown once, when the token is created. What is stored is its hash.
"""

from __future__ import annotations

import hashlib
import secrets

MASTER_LENGTH = 32
RESTRICTED_LENGTH = 28

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def new_string(length: int) -> str:
    """A fresh token string, `length` random letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def hashed(token: str) -> str:
    """How a token is stored and looked up: SHA-256 in hex. The strings are random, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()

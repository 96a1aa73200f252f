"""The messages of BTrDB 5.

What there is, `protos/v5api.proto` says.
"""

from __future__ import annotations

from .descriptors import load

globals().update(load("v5api"))

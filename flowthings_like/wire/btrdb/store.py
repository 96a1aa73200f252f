"""The messages of the calls that only the embedded platform's stream store has.

What there is, `protos/store.proto` says.
"""

from __future__ import annotations

from .descriptors import load

globals().update(load("flowthings_like"))

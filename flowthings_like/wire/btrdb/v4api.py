"""The messages of the open BTrDB server 4 that differ from those of version 5.

What there is, `protos/v4api.proto` says.
"""

from __future__ import annotations

from .descriptors import load

globals().update(load("grpcinterface"))

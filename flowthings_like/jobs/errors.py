"""The errors that stop a load."""

from __future__ import annotations

from ..errors import FlowThingsError

__all__ = ["LoadStopped", "TooManyRefusals"]


class LoadStopped(FlowThingsError):
    """A load has stopped before its end. The cause says why; what is stored stays."""


class TooManyRefusals(LoadStopped):
    """More rows were refused than a load may have."""

"""What a user calls: one family, one folder; one resource, one module."""

from .rest.registry import *  # noqa: F403 (its __all__ is written from the modules, so it cannot miss one)

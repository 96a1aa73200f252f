"""The objects whose methods a user calls: one folder for each family, one module for each resource."""

from .rest.registry import *  # noqa: F403 (its __all__ is generated from the modules)

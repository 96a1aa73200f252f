"""Filters on points and windows, tested as these arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ...filters.target import filter_of
from .points import Points

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["matching_points"]

P = TypeVar("P", bound=Points[Any])


def matching_points(parts: Iterator[P], where: Any) -> Iterator[P]:
    """The points of the parts that match a filter; see `Points.where`. A part may become empty.

    Args:
        where: a filter, its text, or None for all points.

    Raises:
        InvalidInput: it is no filter.
    """
    node = filter_of(where)
    if node is None:
        return parts
    return (part.where(node) for part in parts)

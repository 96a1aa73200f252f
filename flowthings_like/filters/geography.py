"""Distances between points on the earth, and whether a point is inside a polygon."""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, cos, radians, sin, sqrt
from typing import TYPE_CHECKING, Any

from .values import is_number

if TYPE_CHECKING:
    from .nodes import Point

EARTH_RADIUS = 6371.0088
"""The mean radius of the earth in km (International Union of Geodesy and Geophysics)."""


def location(value: Any) -> Point | None:
    """The point (lat, lon) of a location {"lat": …, "lon": …} in degrees. None if the value is not one."""
    if type(value) is not dict:
        return None
    latitude, longitude = value.get("lat"), value.get("lon")
    if is_number(latitude) and is_number(longitude) and abs(latitude) <= 90 and abs(longitude) <= 180:
        return latitude, longitude
    return None


def distance(one: Point, other: Point) -> float:
    """The great-circle distance in km between two points (lat, lon) in degrees, by the haversine formula."""
    latitude, longitude, latitude2, longitude2 = map(radians, (*one, *other))
    half = sin((latitude2 - latitude) / 2) ** 2
    half += cos(latitude) * cos(latitude2) * sin((longitude2 - longitude) / 2) ** 2
    return 2 * EARTH_RADIUS * asin(min(1.0, sqrt(half)))


def inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Whether a point is inside a polygon of (lat, lon) corners. Edges are straight lines in degrees.

    Longitudes are not wrapped, so a polygon across the date line must be cut in two.
    """
    latitude, longitude = point
    odd = False
    before = polygon[-1]
    for corner in polygon:
        if (corner[0] > latitude) != (before[0] > latitude):
            crossing = (before[1] - corner[1]) * (latitude - corner[0]) / (before[0] - corner[0]) + corner[1]
            odd ^= longitude < crossing
        before = corner
    return odd

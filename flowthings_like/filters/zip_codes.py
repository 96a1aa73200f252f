"""Where zip codes are: those of the United States, from the package zipcodes, which holds them all."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInput

if TYPE_CHECKING:
    from .nodes import Point

__all__ = ["point_of"]

_SHAPE = re.compile(r"([0-9]{1,5})(?:-[0-9]{4})?")


@lru_cache(maxsize=4096)
def point_of(zip_code: str) -> Point:
    """The middle of a zip code's area, as (latitude, longitude) in degrees.

    Args:
        zip_code: five digits, with or without a hyphen and four more. Leading zeros may be missing.

    Raises:
        InvalidInput: there is no such zip code, or the package is not installed.
    """
    shape = _SHAPE.fullmatch(zip_code)
    if shape is None:
        raise InvalidInput(
            f"expected a zip code of the United States, such as 10001 or 10001-0001, not {zip_code!r}: "
            "for other places give coordinates, WITHIN … OF [lat,lon]"
        )
    try:
        table: Any = import_module("zipcodes")
    except ImportError as error:
        raise InvalidInput(
            f"the place of the zip code {zip_code} needs the package zipcodes; "
            "run: pip install 'flowthings_like[zipcodes]', or give coordinates, WITHIN … OF [lat,lon]"
        ) from error
    found = table.matching(shape[1].zfill(5))
    if not found:
        raise InvalidInput(f"there is no zip code {zip_code} in the United States")
    return float(found[0]["lat"]), float(found[0]["long"])

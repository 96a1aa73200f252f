"""Routes of statistics: what GET returns at `/statistics/<statistic>/<id>[/<year>[/<month>[/<day>]]]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..resources.base import registry
from ..resources.statistics import report
from ..resources.statistics.counters import API_CALLS
from .envelope import Response
from .operations import operation
from .search_limits import Methods, Search

if TYPE_CHECKING:
    from ..json_schema import Schema
    from .request import Request

_NUMBER: Schema = {"type": "string", "pattern": "^[0-9]{1,4}$"}


def segments() -> dict[str, Schema]:
    """What follows `statistics` in a path, with the schema of each."""
    return {
        "statistic": {"type": "string", "enum": list(registry.statistics())},
        "id": {"type": "string", "minLength": 1, "description": "of what is counted for"},
        **dict.fromkeys(("year", "month", "day"), _NUMBER),
    }


@operation("Read counts", {"type": "array", "items": {"type": "integer", "minimum": 0}}, query=("level",))
def _read(request: Request) -> Response:
    stat, id_, *date = request.target.rest
    if stat == API_CALLS.name:
        request.calls.flush()
    level = request.params.get("level", [None])[-1]
    return Response(report.read(request.store, request.caller, stat, id_, date, level))


ROUTES: dict[int, Methods] = {length: {"GET": Search(_read)} for length in (2, 3, 4, 5)}
"""{how many segments follow `statistics`: {method: handler}}"""

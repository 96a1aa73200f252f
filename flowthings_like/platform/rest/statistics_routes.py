"""Routes of statistics: what GET returns at `/statistics/<statistic>/<id>[/<year>[/<month>[/<day>]]]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..resources.statistics import report
from ..resources.statistics.counters import API_CALLS
from .envelope import Response
from .search_limits import Methods, Search

if TYPE_CHECKING:
    from .request import Request


def _read(request: Request) -> Response:
    stat, id_, *date = request.target.rest
    if stat == API_CALLS.name:
        request.calls.flush()
    level = request.params.get("level", [None])[-1]
    return Response(report.read(request.store, request.caller, stat, id_, date, level))


ROUTES: dict[int, Methods] = {length: {"GET": Search(_read)} for length in (2, 3, 4, 5)}
"""{how many segments follow `statistics`: {method: handler}}"""

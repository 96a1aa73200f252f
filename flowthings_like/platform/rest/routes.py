"""The route table: which handler answers which method at which path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..problems import BadRequest, MethodNotAllowed, NotFound
from ..resources import tracks
from ..resources.devices import DEVICE
from ..resources.flows import FLOW
from ..resources.groups import GROUP
from ..resources.identities import IDENTITY
from ..resources.shares import SHARE
from ..resources.statistics import report
from ..resources.tasks import API_TASK, MQTT, RSS
from ..resources.tokens import TOKEN
from ..resources.tracks import TRACK
from . import drop_routes, resource_routes
from .envelope import Answer
from .search_limits import Search

if TYPE_CHECKING:
    from .request import Request, Target
    from .search_limits import Handler, Methods

KINDS = (FLOW, TRACK, GROUP, IDENTITY, API_TASK, MQTT, RSS, TOKEN, SHARE, DEVICE)


def _simulate_track(request: Request) -> Answer:
    return Answer(tracks.simulate(request.body()))


def _simulate_task(request: Request) -> Answer:
    raise BadRequest("api-tasks are stored and not run here, simulating one needs the real platform")


def _statistics(request: Request) -> Answer:
    stat, id_, *date = request.target.rest
    if stat == report.CALLS:
        request.calls.flush()
    level = request.params.get("level", [None])[-1]
    return Answer(report.read(request.store, request.caller, stat, id_, date, level))


_BY_LENGTH: dict[tuple[str, int], Methods] = {
    **{
        (kind.name, length): found for kind in KINDS for length, found in resource_routes.routes(kind).items()
    },
    **{("drop", length): found for length, found in drop_routes.ROUTES.items()},
    **{("statistics", length): {"GET": Search(_statistics)} for length in (2, 3, 4, 5)},
}
_BY_LAST: dict[tuple[str, int, str], Methods] = {
    ("drop", 2, "aggregate"): drop_routes.AGGREGATE,
    ("track", 1, "simulate"): {"POST": _simulate_track},
    ("api-task", 1, "simulate"): {"POST": _simulate_task},
}


def methods(target: Target) -> Methods:
    """{method: handler} at the path. Raises NotFound if there is nothing there."""
    resource, rest = target.resource, target.rest
    found = _BY_LENGTH.get((resource, len(rest)))
    if rest:
        found = _BY_LAST.get((resource, len(rest), rest[-1]), found)
    if found is None:
        raise NotFound(f"there is no resource {'/'.join(('', resource, *rest))}")
    return found


def handler(found: Methods, method: str) -> Handler:
    """The handler of `method`; HEAD is answered like GET. Raises MethodNotAllowed."""
    handler = found.get("GET" if method == "HEAD" else method)
    if handler is None:
        raise MethodNotAllowed(f"{method} means nothing here: {', '.join(allowed(found))} do", allowed(found))
    return handler


def allowed(found: Methods) -> list[str]:
    """The methods that a path knows, as the Allow header lists them."""
    return [*found, *(["HEAD"] if "GET" in found else []), "OPTIONS"]

"""Routes of plans: `/plan`. GET pulls the plan of a path, POST pushes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..problems import BadRequest
from ..resources.plans import PLAN, pull, push
from .envelope import Response
from .operations import operation

if TYPE_CHECKING:
    from .request import Request
    from .search_limits import Methods


@operation("Pull the plan of a path", PLAN, query=("path",), required=("path",))
def _pull(request: Request) -> Response:
    path = request.params.get("path", [""])[-1]
    if not path:
        raise BadRequest("path is required: the path whose flows, tracks and tasks to pull")
    return Response(pull(request.store, request.caller, path))


@operation("Push a plan", {"type": "object"}, body=PLAN)
def _push(request: Request) -> Response:
    return Response(push(request.store, request.caller, request.body()))


ROUTES: dict[int, Methods] = {0: {"GET": _pull, "POST": _push}}
"""{how many segments follow `plan`: {method: handler}}"""

"""Routes of a resource: `/<resource>`, `/<resource>/<id>` and `/<resource>/<id>/<member>`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..resources.base import verbs
from ..resources.query.query import Query
from . import references
from .envelope import Response, created
from .search_limits import Methods, Search

if TYPE_CHECKING:
    from ..resources.base.resource import Resource
    from .request import Request


def routes(resource: Resource) -> dict[int, Methods]:
    """{how many segments follow the resource: {method: handler}}."""

    def create(request: Request) -> Response:
        document = verbs.create(request.store, request.caller, resource, request.body())
        return changed(request, created(document))

    def find(request: Request) -> Response:
        query = Query.from_params(request.params, resource.known)
        return shown(request, verbs.find(request.store, request.caller, resource, query))

    def read_many(request: Request) -> Response:
        return shown(request, verbs.read_many(request.store, request.caller, resource, request.body()))

    def update_many(request: Request) -> Response:
        documents = verbs.update_many(request.store, request.caller, resource, request.body())
        return changed(request, Response(documents))

    def read(request: Request) -> Response:
        document = verbs.read(request.store, request.caller, resource, request.target.rest[0])
        return shown(request, Query.from_params(request.params, resource.known).pick(document))

    def update(request: Request) -> Response:
        id_ = request.target.rest[0]
        return changed(
            request, Response(verbs.update(request.store, request.caller, resource, id_, request.body()))
        )

    def delete(request: Request) -> Response:
        id_ = request.target.rest[0]
        return changed(request, Response(verbs.delete(request.store, request.caller, resource, id_)))

    def set_member(request: Request) -> Response:
        id_, member = request.target.rest
        document = verbs.set_member(request.store, request.caller, resource, id_, member, request.body())
        return changed(request, Response(document))

    def shown(request: Request, body: Any) -> Response:
        return references.add(request, Response(body))

    def changed(request: Request, response: Response) -> Response:
        if resource.grants_rights:
            request.accounts.invalidate()
        return references.add(request, response)

    return {
        0: {"GET": Search(find), "POST": create, "MGET": read_many, "MPUT": update_many},
        1: {"GET": read, "PUT": update, "DELETE": delete},
        2: {"PUT": set_member},
    }
